"""The RPC methods of the node as a whole: those that the shop calls, and those with which a test moves the chain."""

import time
from decimal import Decimal
from typing import Any

from bitcoin.core import CTransaction
from bitcoin.core.serialize import SerializationError

from tests.fake_bitcoind import psbt as psbts
from tests.fake_bitcoind.chain import Block, Chain, Dialect, RpcError, spends, txid_of, unsigned
from tests.fake_bitcoind.wallets import KEY, KINDS, Wallet, checksum, coins, derive


def base_units(amount: Any) -> int:
    return int(Decimal(str(amount)).scaleb(8))


class Node:
    """Everything that does not concern a wallet."""

    def __init__(self, chain: Chain, dialect: Dialect, fee_rate: int = 10) -> None:
        self.chain, self.dialect = chain, dialect
        self.fee_rate = fee_rate
        """In base units a virtual byte."""
        self.wallets: dict[str, Wallet] = {}
        self.peers = 0
        self.clock_off = 0
        """By how many seconds its machine's clock is ahead."""
        chain.on_transaction = self._tell_wallets

    def _tell_wallets(self, transaction: CTransaction) -> None:
        for wallet in self.wallets.values():
            wallet.hear(transaction)

    def script_of(self, address: str) -> bytes:
        if (script := self.chain.script(address)) is None:
            raise RpcError(-5, f"Invalid Bitcoin address: {address}")
        return script

    # --- chain ---

    def getblockchaininfo(self) -> dict[str, Any]:
        tip = self.chain.tip
        info = {"chain": self.dialect.chain, "blocks": tip.height, "headers": tip.height, "bestblockhash": tip.hash, "time": tip.time}
        info |= {"mediantime": self.chain.median_time(tip), "initialblockdownload": False, "verificationprogress": 1, "pruned": False}
        if self.dialect.is_old:
            del info["time"]
        return info | self.dialect.fields

    def getnetworkinfo(self) -> dict[str, Any]:
        return {"version": 290403, "subversion": self.dialect.subversion, "connections": self.peers, "networkactive": True, "warnings": []}

    def getnettotals(self) -> dict[str, Any]:
        return {"totalbytesrecv": 0, "totalbytessent": 0, "timemillis": int(time.time() * 1000) + self.clock_off * 1000}

    def getblockcount(self) -> int:
        return self.chain.tip.height

    def getbestblockhash(self) -> str:
        return self.chain.tip.hash

    def syncwithvalidationinterfacequeue(self) -> None:
        """Do nothing: the fake's wallets know at once."""

    def getblockhash(self, height: int) -> str:
        if not 0 <= height < len(self.chain.active):
            raise RpcError(-8, "Block height out of range")
        return self.chain.active[height].hash

    def getblockheader(self, block_hash: str) -> dict[str, Any]:
        block = self.block(block_hash)
        depth = self.chain.depth(block) if self.chain.is_active(block) else -1
        header = {"hash": block.hash, "confirmations": depth, "height": block.height, "time": block.time, "nTx": len(block.transactions)}
        header["mediantime"] = self.chain.median_time(block)
        return header | ({"previousblockhash": block.previous} if block.previous else {})

    def block(self, block_hash: str) -> Block:
        check_hash("blockhash", block_hash)
        if block_hash not in self.chain.known:
            raise RpcError(-5, "Block not found")
        return self.chain.known[block_hash]

    def generatetoaddress(self, count: int, address: str) -> list[str]:
        return [self.chain.mine(self.script_of(address)).hash for _ in range(count)]

    def generateblock(self, address: str, transactions: list[str]) -> dict[str, str]:
        raw = [self.chain.transactions[each] if len(each) == 64 else read_transaction(each) for each in transactions]
        for each in raw:
            self.chain.transactions.setdefault(txid_of(each), each)
        return {"hash": self.chain.mine(self.script_of(address), raw).hash}

    def invalidateblock(self, block_hash: str) -> None:
        self.chain.invalidate(block_hash)

    # --- mempool and coins ---

    def getrawmempool(self) -> list[str]:
        return list(self.chain.mempool)

    def getmempoolentry(self, txid: str) -> dict[str, Any]:
        check_hash("txid", txid)
        if (entry := self.chain.mempool.get(txid)) is None:
            raise RpcError(-5, "Transaction not in mempool")
        fee = coins(entry.fee)
        fees = {"base": fee, "modified": fee, "ancestor": fee, "descendant": fee}
        return {"vsize": 141, "time": entry.time, "height": entry.height, "fees": fees, "depends": [], "spentby": []}

    def gettxout(self, txid: str, vout: int, mempool: bool = True) -> dict[str, Any] | None:
        block = self.chain.block_of(txid)
        exists = block or (mempool and txid in self.chain.mempool)
        if not exists or vout >= len(self.chain.transactions[txid].vout) or self.chain.spender((txid, vout), mempool=mempool):
            return None
        output = self.chain.transactions[txid].vout[vout]
        depth = self.chain.depth(block) if block else 0
        told = {"bestblock": self.chain.tip.hash, "confirmations": depth, "value": coins(output.nValue), "coinbase": False}
        return told | {"scriptPubKey": self.script_shape(bytes(output.scriptPubKey))}

    def sendrawtransaction(self, raw: str) -> str:
        return self.chain.submit(read_transaction(raw))

    def createrawtransaction(self, inputs: list[dict[str, Any]], outputs: Any, locktime: int = 0, replaceable: bool = True) -> str:
        transaction = unsigned([(each["txid"], each["vout"]) for each in inputs], self.read_outputs(outputs), locktime)
        return str(transaction.serialize().hex())

    def read_outputs(self, outputs: Any) -> list[tuple[bytes, int]]:
        pairs = outputs.items() if isinstance(outputs, dict) else [pair for each in outputs for pair in each.items()]
        return [(self.script_of(address), base_units(amount)) for address, amount in pairs]

    def decoderawtransaction(self, raw: str) -> dict[str, Any]:
        return self.shape(read_transaction(raw))

    def shape(self, transaction: CTransaction) -> dict[str, Any]:
        vin = [{"txid": txid, "vout": vout, "sequence": transaction.vin[0].nSequence} for txid, vout in spends(transaction)]
        vout = [
            {"value": coins(each.nValue), "n": number, "scriptPubKey": self.script_shape(bytes(each.scriptPubKey))}
            for number, each in enumerate(transaction.vout)
        ]
        names = {"txid": txid_of(transaction), "hash": bytes(transaction.GetHash())[::-1].hex()}
        return names | {"version": transaction.nVersion, "locktime": transaction.nLockTime, "vin": vin, "vout": vout}

    def script_shape(self, script: bytes) -> dict[str, Any]:
        address = self.chain.address(script)
        return {"hex": script.hex()} | ({"address": address, "type": "witness_v0_keyhash"} if address else {"type": "nonstandard"})

    def validateaddress(self, address: str) -> dict[str, Any]:
        if (script := self.chain.script(address)) is None:
            return {"isvalid": False, "error_locations": [], "error": "Invalid checksum or length of Base58 address (P2PKH or P2SH)"}
        return {
            "isvalid": True,
            "address": address,
            "scriptPubKey": script.hex(),
            "isscript": False,
            "iswitness": True,
            "witness_version": 0,
        }

    # --- PSBT ---

    def decodepsbt(self, text: str) -> dict[str, Any]:
        psbt = psbts.read(text)
        inputs = [{"witness_utxo": {"amount": coins(each.nValue)}} for each in psbt.utxos]
        return {
            "tx": self.shape(psbt.transaction),
            "inputs": inputs,
            "outputs": [{} for _ in psbt.transaction.vout],
            "fee": coins(psbt.fee),
        }

    def combinepsbt(self, texts: list[str]) -> str:
        return psbts.write(psbts.combine(texts))

    def finalizepsbt(self, text: str) -> dict[str, Any]:
        psbt = psbts.read(text)
        return {"hex": psbt.final().serialize().hex(), "complete": True} if psbt.is_complete else {"psbt": text, "complete": False}

    # --- descriptors and wallets ---

    def getdescriptorinfo(self, text: str) -> dict[str, Any]:
        body, _, given = text.partition("#")
        if body.partition("(")[0] not in KINDS or not (key := KEY.search(body)) or not body.endswith(")"):
            raise RpcError(-5, f"{body.partition('(')[0]}(): key '{body.partition('(')[2].rstrip(')')}' is not valid")
        if given and given != checksum(body):
            raise RpcError(-5, f"Provided checksum '{given}' does not match computed checksum '{checksum(body)}'")
        public = body.replace("prv", "pub")
        told = {"descriptor": f"{public}#{checksum(public)}", "checksum": checksum(body), "isrange": "/*" in body, "issolvable": True}
        return told | {"hasprivatekeys": key[0][1:4] == "prv"}

    def deriveaddresses(self, descriptor: str, span: list[int]) -> list[str | None]:
        return [self.chain.address(derive(descriptor, index)) for index in range(span[0], span[1] + 1)]

    def createwallet(
        self,
        name: str,
        no_keys: bool = False,
        blank: bool = False,
        _: str = "",
        __: bool = False,
        descriptors: bool = True,
        load: bool = False,
    ) -> dict[str, Any]:
        if name in self.wallets:
            failed = f"Failed to create database path '/wallets/{name}'. Database already exists."
            raise RpcError(-4, f"Wallet file verification failed. {failed}")
        wallet = Wallet(self.chain, name, not no_keys, has_descriptors=descriptors, load_on_startup=load)
        if not blank:
            key = f"tpub{checksum(name).translate(str.maketrans('0', '1')) * 4}"
            for kind in ("wpkh", "pkh"):
                for internal in (False, True):
                    body = f"{kind}([{checksum(name)}/84h/1h/0h]{key}/{int(internal)}/*)"
                    wallet.watch(f"{body}#{checksum(body)}", internal=internal, last=99)
        self.wallets[name] = wallet
        return {"name": name}

    def loadwallet(self, name: str, load_on_startup: bool = False) -> dict[str, Any]:
        if name not in self.wallets:
            path = f"Failed to load database path '/wallets/{name}'. Path does not exist."
            raise RpcError(-18, f"Wallet file verification failed. {path}")
        wallet = self.wallets[name]
        if wallet.is_loaded and self.dialect.is_old:
            loaded = f"Refusing to load database. Data file '/wallets/{name}/wallet.dat' is already loaded."
            raise RpcError(-4, f"Wallet file verification failed. {loaded}")
        if wallet.is_loaded:
            raise RpcError(-35, f'Wallet "{name}" is already loaded.')
        wallet.is_loaded, wallet.load_on_startup = True, load_on_startup
        return {"name": name}

    def unloadwallet(self, name: str) -> dict[str, Any]:
        self.wallets[name].is_loaded = False
        return {}


def check_hash(what: str, text: str) -> None:
    if len(text) != 64:
        raise RpcError(-8, f"{what} must be of length 64 (not {len(text)}, for '{text}')")


def read_transaction(raw: str) -> CTransaction:
    try:
        return CTransaction.deserialize(bytes.fromhex(raw))
    except (ValueError, SerializationError) as error:
        raise RpcError(-22, "TX decode failed. Make sure the tx has at least one input.") from error
