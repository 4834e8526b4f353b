"""What one wallet owns and remembers, and how it tells of it."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bitcoin.core import CTransaction

from tests.fake_bitcoind.chain import MATURITY, Chain, Outpoint, RpcError, is_coinbase, spends, txid_of

KINDS = {"wpkh": "bech32", "pkh": "legacy", "sh": "p2sh-segwit", "tr": "bech32m"}
KEY = re.compile(r"[xt]p(?:ub|rv)[1-9A-HJ-NP-Za-km-z]{20,}")


def coins(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-8)


def checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:8]


def plain_body(descriptor: str) -> str:
    """As a wallet lists it: without checksum, with `h` for hardened steps."""
    return descriptor.partition("#")[0].replace("'", "h")


def derive(descriptor: str, index: int) -> bytes:
    """The script of one of its addresses: of a witness program, also if the descriptor says otherwise, which is all that a fake needs."""
    program = hashlib.sha256(f"{plain_body(descriptor)} {index}".encode()).digest()[:20]
    return bytes([0, 20, *program])


@dataclass
class Descriptor:
    text: str
    """With its checksum."""
    internal: bool
    last: int
    next: int = 0
    active: bool = True
    timestamp: int = 0

    @property
    def kind(self) -> str:
        return KINDS[self.text.partition("(")[0]]


@dataclass
class Wallet:
    chain: Chain
    name: str
    has_keys: bool
    has_descriptors: bool = True
    is_loaded: bool = True
    load_on_startup: bool = False
    descriptors: list[Descriptor] = field(default_factory=list)
    pool: list[bytes] = field(default_factory=list)
    """Scripts that may be given out, of a wallet without descriptors."""
    scripts: dict[bytes, str] = field(default_factory=dict)
    """All that are watched, each with the descriptor it came from."""
    births: dict[bytes, int] = field(default_factory=dict)
    """Since when a wallet without descriptors knows what each script received."""
    labels: dict[bytes, str] = field(default_factory=dict)
    """Of those that were given out."""
    heard_at: dict[str, int] = field(default_factory=dict)
    """When the wallet first heard of each of its transactions."""
    locked: set[Outpoint] = field(default_factory=set)
    tells_void_outputs: bool = False
    """Names the outputs of transactions that another one in a block made void, with their negative depth."""

    # --- addresses ---

    def watch(self, text: str, *, internal: bool, last: int, place: int = 0, born: int = 0) -> None:
        body = plain_body(text)
        text = f"{body}#{checksum(body)}"
        if all(each.text != text for each in self.descriptors):
            self.descriptors.append(Descriptor(text, internal, last, next=place, timestamp=born or self.chain.now()))
            self.scripts |= {derive(text, index): text for index in range(last + 1)}

    def fill_pool(self, text: str, first: int, last: int, *, in_pool: bool, born: int) -> None:
        fresh = [script for index in range(first, last + 1) if (script := derive(text, index)) not in self.scripts]
        self.pool += fresh if in_pool else []
        self.scripts |= dict.fromkeys(fresh, text)
        self.births |= dict.fromkeys(fresh, born)

    def born_at(self, script: bytes) -> int:
        """Since when it knows what this script received."""
        known = [each.timestamp for each in self.descriptors if each.text == self.scripts[script]]
        return known[0] if known else self.births.get(script, 0)

    def new_script(self, label: str, kind: str) -> bytes:
        if kind not in KINDS.values():
            raise RpcError(-5, f"Unknown address type '{kind}'")
        if not self.has_descriptors:
            if not self.pool:
                raise RpcError(-4, "Error: This wallet has no available keys")
            script = self.pool.pop(0)
        else:
            source = next((each for each in self.descriptors if each.kind == kind and not each.internal), None)
            if source is None:
                no = f"Error: No {kind} addresses available." if self.descriptors else "Error: This wallet has no available keys"
                raise RpcError(-4, no)
            script = derive(source.text, source.next)
            source.next += 1
        self.labels[script] = label
        return script

    def change_script(self) -> bytes:
        source = next((each for each in self.descriptors if each.internal), None)
        if source is None:
            raise RpcError(-4, "Transaction needs a change address, but we can't generate it.")
        source.next += 1
        return derive(source.text, source.next - 1)

    # --- transactions ---

    def hear(self, transaction: CTransaction) -> None:
        if self.concerns(transaction):
            self.heard_at.setdefault(txid_of(transaction), self.chain.now())

    def concerns(self, transaction: CTransaction) -> bool:
        return any(bytes(each.scriptPubKey) in self.scripts for each in transaction.vout) or self.spends_own(transaction)

    def spends_own(self, transaction: CTransaction) -> bool:
        return any(self.owns(coin) for coin in spends(transaction))

    def owns(self, coin: Outpoint) -> bool:
        txid, vout = coin
        known = self.chain.transactions.get(txid)
        return known is not None and vout < len(known.vout) and bytes(known.vout[vout].scriptPubKey) in self.scripts

    def unspent(self) -> Iterator[tuple[Outpoint, int]]:
        """Ripe coins and their depths, 0 for those in the mempool."""
        for txid in self.heard_at:
            block = self.chain.block_of(txid)
            depth = self.chain.depth(block) if block else 0
            if (block is None and txid not in self.chain.mempool) or (is_coinbase(self.chain.transactions[txid]) and depth <= MATURITY):
                continue
            for vout in range(len(self.chain.transactions[txid].vout)):
                if self.owns((txid, vout)) and self.chain.spender((txid, vout)) is None:
                    yield (txid, vout), depth

    def confirmations(self, txid: str) -> int:
        block = self.chain.block_of(txid)
        return self.chain.depth(block) if block else -self.chain.conflict_depth(txid)

    def transaction(self, txid: str) -> dict[str, Any]:
        """What all its entries have in common."""
        transaction, depth = self.chain.transactions[txid], self.confirmations(txid)
        waits = txid in self.chain.mempool
        told: dict[str, Any] = {"confirmations": depth}
        if is_coinbase(transaction):
            told["generated"] = True
        if block := self.chain.block_of(txid):
            place = {"blockhash": block.hash, "blockheight": block.height, "blockindex": block.transactions.index(txid)}
            told |= place | {"blocktime": block.time}
        else:
            told |= {"trusted": waits and self.spends_own(transaction)}
            told |= {"in_mempool": waits} if self.has_descriptors else {}
        rivals = self.chain.rivals(transaction)
        told |= {"txid": txid, "walletconflicts": [rival for rival in rivals if rival in self.heard_at]}
        if self.has_descriptors:
            told |= {
                "wtxid": bytes(transaction.GetHash())[::-1].hex(),
                "mempoolconflicts": [rival for rival in rivals if rival in self.chain.mempool],
            }
        heard = self.heard_at[txid]
        replaceable = "no" if block or not self.has_descriptors else "unknown" if is_coinbase(transaction) else "yes"
        return told | {"time": heard, "timereceived": heard, "bip125-replaceable": replaceable}

    def details(self, txid: str, *, change: bool = False, void: bool = False) -> list[dict[str, Any]]:
        transaction = self.chain.transactions[txid]
        sends = self.spends_own(transaction)
        details = []
        for vout, output in enumerate(transaction.vout):
            script = bytes(output.scriptPubKey)
            is_change = sends and script in self.scripts and script not in self.labels
            if sends and (change or not is_change):
                details.append(self._sent(transaction, vout, script, output.nValue))
            if script in self.scripts and (change or not is_change) and (self.confirmations(txid) >= 0 or void or self.tells_void_outputs):
                details.append(self._received(transaction, vout, script, output.nValue))
        return details

    def _sent(self, transaction: CTransaction, vout: int, script: bytes, amount: int) -> dict[str, Any]:
        fee = coins(-self.chain.fee(transaction))
        place = {"category": "send", "amount": coins(-amount), "vout": vout, "fee": fee, "abandoned": False}
        return self._address(script) | place

    def _received(self, transaction: CTransaction, vout: int, script: bytes, amount: int) -> dict[str, Any]:
        entry = self._address(script) | {"category": self._category(transaction), "amount": coins(amount), "vout": vout}
        if script in self.labels:
            entry["label"] = self.labels[script]
        if self.has_descriptors:
            return entry | {"parent_descs": [self.scripts[script]], "abandoned": entry["category"] == "orphan"}
        return entry | {"involvesWatchonly": True}

    def _category(self, transaction: CTransaction) -> str:
        if not is_coinbase(transaction):
            return "receive"
        depth = self.confirmations(txid_of(transaction))
        return "orphan" if depth <= 0 else "immature" if depth <= MATURITY else "generate"

    def _address(self, script: bytes) -> dict[str, Any]:
        address = self.chain.address(script)
        return {"address": address} if address else {}

    def entries(self, txid: str, *, change: bool = False, void: bool = False) -> list[dict[str, Any]]:
        """In the form of `listsinceblock`."""
        common = self.transaction(txid)
        return [detail | common for detail in self.details(txid, change=change, void=void)]
