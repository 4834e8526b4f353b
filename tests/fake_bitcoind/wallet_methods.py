"""The RPC methods of one wallet."""

from decimal import Decimal
from typing import Any

from tests.fake_bitcoind import psbt as psbts
from tests.fake_bitcoind.chain import RpcError, is_signed, signed, spends, unsigned
from tests.fake_bitcoind.methods import Node, base_units, check_hash, read_transaction
from tests.fake_bitcoind.psbt import Psbt
from tests.fake_bitcoind.wallets import Wallet, coins

FEE_PER_INPUT = 141
"""In virtual bytes."""


class WalletMethods:
    def __init__(self, node: Node, wallet: Wallet) -> None:
        self.node, self.wallet, self.chain = node, wallet, node.chain

    def getwalletinfo(self) -> dict[str, Any]:
        wallet = self.wallet
        info = {"walletname": wallet.name, "txcount": len(wallet.heard_at), "keypoolsize": len(wallet.pool), "scanning": False}
        return info | {"private_keys_enabled": wallet.has_keys, "descriptors": wallet.has_descriptors}

    def getnewaddress(self, label: str = "", kind: str = "bech32") -> str:
        return str(self.chain.address(self.wallet.new_script(label, kind)))

    def getaddressinfo(self, address: str) -> dict[str, Any]:
        script = self.node.script_of(address)
        is_known = script in self.wallet.scripts
        old = not self.wallet.has_descriptors
        labels = [self.wallet.labels[script]] if script in self.wallet.labels else []
        told = {"address": address, "ismine": is_known and not old, "iswatchonly": is_known and old, "labels": labels}
        return told | ({"timestamp": self.wallet.born_at(script)} if is_known else {})

    def listlabels(self) -> list[str]:
        return sorted(set(self.wallet.labels.values()))

    def listdescriptors(self) -> dict[str, Any]:
        if not self.wallet.has_descriptors:
            raise RpcError(-32601, "Method not found")
        told = [
            {
                "desc": each.text,
                "timestamp": each.timestamp,
                "active": each.active,
                "internal": each.internal,
                "range": [0, each.last],
                "next": each.next,
                "next_index": each.next,
            }
            for each in self.wallet.descriptors
        ]
        return {"wallet_name": self.wallet.name, "descriptors": told}

    def importdescriptors(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        told = [self._imported(request) for request in requests]
        self._rescan(requests)
        return told

    def importmulti(self, requests: list[dict[str, Any]], options: dict[str, Any]) -> list[dict[str, Any]]:
        told = [self._imported(request) for request in requests]
        if options["rescan"]:
            self._rescan(requests)
        return told

    def _rescan(self, requests: list[dict[str, Any]]) -> None:
        """Look through the blocks since the oldest timestamp, and through the mempool, which litecoind does not."""
        since = min(self.chain.median_time(self.chain.tip) if each["timestamp"] == "now" else each["timestamp"] for each in requests)
        for block in self.chain.active:
            if block.time >= since - 7200:
                for name in block.transactions:
                    self.wallet.hear(self.chain.transactions[name])
        for name in [] if self.node.dialect.is_old else self.chain.mempool:
            self.wallet.hear(self.chain.transactions[name])

    def _imported(self, request: dict[str, Any]) -> dict[str, Any]:
        first, last = request["range"]
        if "#" not in request["desc"]:
            return {"success": False, "error": {"code": -5, "message": "Missing checksum"}}
        born = self.chain.median_time(self.chain.tip) if request["timestamp"] == "now" else request["timestamp"]
        if self.wallet.has_descriptors:
            place = request.get("next_index", 0)
            self.wallet.watch(request["desc"], internal=request["internal"], last=last, place=place, born=born)
        else:
            self.wallet.fill_pool(request["desc"], first, last, in_pool=request["keypool"], born=born)
        return {"success": True}

    # --- what it received ---

    def gettransaction(self, txid: str, _: bool = True, verbose: bool = False) -> dict[str, Any]:
        check_hash("txid", txid)
        if txid not in self.wallet.heard_at:
            raise RpcError(-5, "Invalid or non-wallet transaction id")
        details = self.wallet.details(txid)
        raw = self.chain.transactions[txid]
        told = {"amount": sum((each["amount"] for each in details), Decimal("0.00000000")), **self.wallet.transaction(txid)}
        told |= {"details": details, "hex": raw.serialize().hex()}
        return told | ({"decoded": self.node.shape(raw)} if verbose else {})

    def listsinceblock(self, block_hash: str = "", target: int = 1, _: bool = True, removed: bool = True, *change: bool) -> dict[str, Any]:
        if change and self.node.dialect.is_old:
            raise RpcError(-1, 'listsinceblock ( "blockhash" target_confirmations include_watchonly include_removed )')
        block = self.node.block(block_hash) if block_hash else None
        lost: list[str] = []
        while block is not None and not self.chain.is_active(block):
            lost += block.transactions
            block = self.chain.known[block.previous]
        depth = self.chain.tip.height + 1 - block.height if block else None
        listed = [
            entry
            for txid in self.wallet.heard_at
            if depth is None or abs(self.wallet.confirmations(txid)) < depth
            for entry in self.wallet.entries(txid, change=bool(change and change[0]))
        ]
        told: dict[str, Any] = {"transactions": listed}
        if removed:
            known = [txid for txid in dict.fromkeys(lost) if txid in self.wallet.heard_at]
            told["removed"] = [entry for txid in known for entry in self.wallet.entries(txid, void=True)]
        return told | {"lastblock": self.chain.active[max(self.chain.tip.height + 1 - target, 0)].hash}

    def listreceivedbyaddress(self, least: int, empty: bool, _: bool, address: str) -> list[dict[str, Any]]:
        script = self.chain.script(address)
        if script is None:
            raise RpcError(-4, "address_filter parameter was invalid")
        if script not in self.wallet.labels:
            return []
        paying = {
            txid: sum(each.nValue for each in self.chain.transactions[txid].vout if bytes(each.scriptPubKey) == script)
            for txid in self.wallet.heard_at
            if self.wallet.confirmations(txid) >= least
        }
        txids = [txid for txid, amount in paying.items() if amount]
        depth = min((self.wallet.confirmations(txid) for txid in txids), default=0)
        told = {"address": address, "amount": coins(sum(paying.values())), "confirmations": depth, "label": self.wallet.labels[script]}
        return [told | {"txids": txids}]

    # --- what it spends ---

    def listunspent(self, least: int = 1) -> list[dict[str, Any]]:
        return [
            {
                "txid": txid,
                "vout": vout,
                "address": self.chain.address(bytes(output.scriptPubKey)),
                "amount": coins(output.nValue),
                "confirmations": depth,
                "spendable": self.wallet.has_keys,
            }
            for (txid, vout), depth in self.wallet.unspent()
            if (txid, vout) not in self.wallet.locked and depth >= least
            for output in [self.chain.transactions[txid].vout[vout]]
        ]

    def listlockunspent(self) -> list[dict[str, Any]]:
        return [{"txid": txid, "vout": vout} for txid, vout in sorted(self.wallet.locked)]

    def lockunspent(self, unlock: bool, named: list[dict[str, Any]]) -> bool:
        for coin in [(each["txid"], each["vout"]) for each in named]:
            if coin[0] not in self.wallet.heard_at:
                raise RpcError(-8, "Invalid parameter, unknown transaction")
            if unlock and coin not in self.wallet.locked:
                raise RpcError(-8, "Invalid parameter, expected locked output")
            if not unlock and self.chain.spender(coin):
                raise RpcError(-8, "Invalid parameter, expected unspent output")
            (self.wallet.locked.discard if unlock else self.wallet.locked.add)(coin)
        return True

    def walletcreatefundedpsbt(
        self, _: list[Any], outputs: list[dict[str, str]], __: int, options: dict[str, Any], ___: bool = True
    ) -> dict[str, Any]:
        psbt, change = self._funded(self.node.read_outputs(outputs), options.get("changeAddress"))
        if options.get("lockUnspents"):
            self.wallet.locked |= set(spends(psbt.transaction))
        return {"psbt": psbts.write(psbt), "fee": coins(psbt.fee), "changepos": change}

    def _funded(self, outputs: list[tuple[bytes, int]], change_address: str | None = None) -> tuple[Psbt, int]:
        owed = sum(amount for _, amount in outputs)
        chosen: list[tuple[str, int]] = []
        left = -owed
        for coin, depth in sorted(self.wallet.unspent(), key=lambda each: self.chain.value(each[0]), reverse=True):
            own = self.wallet.spends_own(self.chain.transactions[coin[0]])
            if coin in self.wallet.locked or (depth == 0 and not own):
                continue
            chosen.append(coin)
            left += self.chain.value(coin) - FEE_PER_INPUT * self.node.fee_rate
            if left > 1000:
                break
        if left <= 1000:
            raise RpcError(-4, "Insufficient funds")
        change = self.node.script_of(change_address) if change_address else self.wallet.change_script()
        transaction = unsigned(chosen, [*outputs, (change, left)])
        return Psbt(transaction, tuple(self.chain.transactions[txid].vout[vout] for txid, vout in chosen)), len(outputs)

    def walletprocesspsbt(self, text: str) -> dict[str, Any]:
        psbt = psbts.read(text)
        own = {index for index, coin in enumerate(spends(psbt.transaction)) if self.wallet.owns(coin)} if self.wallet.has_keys else set()
        done = Psbt(psbt.transaction, psbt.utxos, psbt.signed | own)
        return {"psbt": psbts.write(done), "complete": done.is_complete}

    def signrawtransactionwithwallet(self, raw: str) -> dict[str, Any]:
        transaction = read_transaction(raw)
        done = signed(transaction, [index for index, coin in enumerate(spends(transaction)) if self.wallet.owns(coin)])
        return {"hex": done.serialize().hex(), "complete": is_signed(done)}

    def sendtoaddress(self, address: str, amount: str) -> str:
        psbt, _ = self._funded([(self.node.script_of(address), base_units(amount))])
        return self.chain.submit(signed(psbt.transaction, range(len(psbt.transaction.vin))))
