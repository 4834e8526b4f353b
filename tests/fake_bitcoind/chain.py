"""Blocks, mempool and coins: what all wallets of a node share."""

import hashlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from bitcoin import segwit_addr
from bitcoin.core import (
    CMutableTransaction,
    CMutableTxIn,
    CMutableTxOut,
    COutPoint,
    CTransaction,
    CTxInWitness,
    CTxWitness,
    b2lx,
    lx,
)
from bitcoin.core.script import CScript, CScriptWitness

COIN = 100_000_000
SUBSIDY = 50 * COIN
MATURITY = 100
REPLACEABLE = 0xFFFF_FFFD
GENESIS = 1_767_225_600
"""The first block's time: 2026 began."""
NO_COIN = ("00" * 32, 0xFFFF_FFFF)

Outpoint = tuple[str, int]


@lru_cache(maxsize=10_000)
def _encoded(prefix: str, program: bytes) -> str:
    """Return the address of the witness program. Each of the many fakes of a test run asks for the same ones."""
    return str(segwit_addr.encode(prefix, 0, program))


class RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Block:
    hash: str
    height: int
    previous: str
    time: int
    transactions: tuple[str, ...]
    """The first is the coinbase."""


@dataclass(frozen=True)
class Waiting:
    """What the mempool says of one of its transactions."""

    time: int
    height: int
    fee: int


def txid_of(transaction: CTransaction) -> str:
    return str(b2lx(transaction.GetTxid()))


def spends(transaction: CTransaction) -> list[Outpoint]:
    return [(b2lx(each.prevout.hash), each.prevout.n) for each in transaction.vin]


def is_coinbase(transaction: CTransaction) -> bool:
    return spends(transaction) == [NO_COIN]


def unsigned(inputs: Iterable[Outpoint], outputs: Sequence[tuple[bytes, int]], locktime: int = 0) -> CTransaction:
    """`outputs`: (script, base units)."""
    vin = [CMutableTxIn(COutPoint(lx(txid), vout), nSequence=REPLACEABLE) for txid, vout in inputs]
    vout = [CMutableTxOut(amount, CScript(script)) for script, amount in outputs]
    return CTransaction.from_tx(CMutableTransaction(vin, vout, nLockTime=locktime, nVersion=2))


def signed(transaction: CTransaction, indexes: Iterable[int]) -> CTransaction:
    """With a made-up signature for these inputs."""
    stacks = [each.scriptWitness.stack for each in transaction.wit.vtxinwit] or [()] * len(transaction.vin)
    for index in indexes:
        stacks[index] = (b"\x30" + bytes(70), b"\x02" + bytes(32))
    witness = CTxWitness(tuple(CTxInWitness(CScriptWitness(stack)) for stack in stacks))
    return CTransaction(transaction.vin, transaction.vout, transaction.nLockTime, transaction.nVersion, witness)


def is_signed(transaction: CTransaction) -> bool:
    stacks = [each.scriptWitness.stack for each in transaction.wit.vtxinwit]
    return len(stacks) == len(transaction.vin) and all(stacks)


class Chain:
    def __init__(self, prefix: str = "bcrt", seed: str = "") -> None:
        self.prefix = prefix
        """How its addresses begin."""
        self.seed = seed
        """What tells its blocks from those of another chain of the same kind."""
        self.clock: int | None = None
        """In seconds, where the test sets it; else it is the machine's."""
        self.transactions: dict[str, CTransaction] = {}
        """All that were ever heard of."""
        self.known: dict[str, Block] = {}
        self.active: list[Block] = []
        self.mempool: dict[str, Waiting] = {}
        self.on_transaction: Callable[[CTransaction], None] = lambda transaction: None
        """The wallets look at each that came or moved."""
        self._numbers = itertools.count(1)
        self._add(Block(self._hash("genesis"), 0, "", GENESIS, ()))

    def now(self) -> int:
        return int(time.time()) if self.clock is None else self.clock

    def _hash(self, text: str) -> str:
        return hashlib.sha256(f"{self.prefix}{self.seed} {text}".encode()).hexdigest()

    # --- addresses ---

    def address(self, script: bytes) -> str | None:
        if len(script) in (22, 34) and script[0] == 0 and script[1] == len(script) - 2:
            return _encoded(self.prefix, script[2:])
        return None

    def script(self, address: str) -> bytes | None:
        version, program = segwit_addr.decode(self.prefix, address)
        return None if version is None else bytes([version, len(program), *program])

    # --- blocks ---

    @property
    def tip(self) -> Block:
        return self.active[-1]

    def block_of(self, txid: str) -> Block | None:
        return next((block for block in reversed(self.active) if txid in block.transactions), None)

    def is_active(self, block: Block) -> bool:
        return block.height < len(self.active) and self.active[block.height] == block

    def depth(self, block: Block) -> int:
        return self.tip.height - block.height + 1

    def median_time(self, block: Block) -> int:
        return int(statistics.median_low([each.time for each in self.active[max(0, block.height - 10) : block.height + 1]]))

    def _add(self, block: Block) -> None:
        self.known[block.hash] = block
        self.active.append(block)

    def mine(self, script: bytes, transactions: Sequence[CTransaction] | None = None, *, at: int | None = None) -> Block:
        """A block of these transactions, of all that wait if none are named; those that they contradict are thrown out."""
        chosen = [self.transactions[txid] for txid in self.mempool] if transactions is None else list(transactions)
        number = next(self._numbers)
        fees = sum(self.fee(each) for each in chosen)
        reward = CMutableTxIn(scriptSig=CScript(number.to_bytes(8, "big")))
        coinbase = CTransaction([reward], [CMutableTxOut(SUBSIDY + fees, CScript(script))])
        names = []
        block_time = max(self.now() if at is None else at, self.median_time(self.tip) + 1 if at is None and self.clock is None else 0)
        for each in (coinbase, *chosen):
            self.transactions.setdefault(txid_of(each), each)
            names.append(txid_of(each))
        block = Block(self._hash(f"block {number}"), self.tip.height + 1, self.tip.hash, block_time, tuple(names))
        self._add(block)
        for name in names:
            self.mempool.pop(name, None)
        for each in chosen:
            for rival in self.rivals(each):
                self._evict(rival)
        for name in names:
            self.on_transaction(self.transactions[name])
        return block

    def invalidate(self, block_hash: str) -> None:
        """It and the blocks above it are no longer the chain; their transactions wait again, but for coinbases and what spent those."""
        if (block := self.known.get(block_hash)) is None:
            raise RpcError(-5, "Block not found")
        lost = self.active[block.height :]
        del self.active[block.height :]
        for name in (name for each in lost for name in each.transactions[1:]):
            transaction = self.transactions[name]
            if all(self._has(coin) for coin in spends(transaction)) and not any(
                rival in self.mempool for rival in self.rivals(transaction)
            ):
                self.mempool[name] = Waiting(self.now(), self.tip.height, self.fee(transaction))
        for name in (each.transactions[0] for each in lost):
            for orphan in list(self._descendants(name)):
                self._evict(orphan)

    # --- transactions ---

    def fee(self, transaction: CTransaction) -> int:
        if is_coinbase(transaction):
            return 0
        return int(self.spent(transaction) - sum(each.nValue for each in transaction.vout))

    def spent(self, transaction: CTransaction) -> int:
        return sum(self.value(coin) for coin in spends(transaction))

    def value(self, coin: Outpoint) -> int:
        txid, vout = coin
        return int(self.transactions[txid].vout[vout].nValue)

    def spender(self, coin: Outpoint, *, mempool: bool = True) -> str | None:
        """Of the active chain, or of the mempool too."""
        mined = (name for block in reversed(self.active) for name in block.transactions)
        for name in itertools.chain(mined, self.mempool if mempool else ()):
            if coin in spends(self.transactions[name]):
                return name
        return None

    def rivals(self, transaction: CTransaction) -> list[str]:
        """Others that spend one of its coins, wherever they are."""
        coins = set(spends(transaction)) - {NO_COIN}
        mine = txid_of(transaction)
        return [name for name, other in self.transactions.items() if name != mine and coins & set(spends(other))]

    def conflict_depth(self, txid: str) -> int:
        """How deep the block lies that made it, or one that it builds on, impossible; 0 when none did."""
        transaction = self.transactions[txid]
        depths = [self.depth(block) for rival in self.rivals(transaction) if (block := self.block_of(rival))]
        parents = [name for name, _ in spends(transaction) if name in self.transactions and not self.block_of(name)]
        return max([*depths, *(self.conflict_depth(name) for name in parents)], default=0)

    def submit(self, transaction: CTransaction) -> str:
        """Into the mempool, in place of cheaper ones. Raises RpcError as `sendrawtransaction` does."""
        name = txid_of(transaction)
        if name in self.mempool:
            return name
        if self.block_of(name):
            raise RpcError(-27, "Transaction outputs already in utxo set")
        if not all(self._has(coin) for coin in spends(transaction)) or any(
            self.spender(coin, mempool=False) for coin in spends(transaction)
        ):
            raise RpcError(-25, "bad-txns-inputs-missingorspent")
        if not is_signed(transaction):
            raise RpcError(-26, "mempool-script-verify-flag-failed (Witness program was passed an empty witness)")
        self.transactions[name] = transaction
        rivals = [rival for rival in self.rivals(transaction) if rival in self.mempool]
        if rivals and self.fee(transaction) <= max(self.mempool[rival].fee for rival in rivals):
            raise RpcError(-26, f"insufficient fee, rejecting replacement {name}")
        for rival in rivals:
            self._evict(rival)
        self.mempool[name] = Waiting(self.now(), self.tip.height, self.fee(transaction))
        self.on_transaction(transaction)
        return name

    def forget(self, txid: str) -> None:
        """The mempool drops it, as after two weeks or a restart."""
        self._evict(txid)

    def _has(self, coin: Outpoint) -> bool:
        """Whether the transaction that makes it is in the chain or waits."""
        name, vout = coin
        exists = bool(self.block_of(name)) or name in self.mempool
        return exists and vout < len(self.transactions[name].vout)

    def _evict(self, txid: str) -> None:
        for name in [txid, *self._descendants(txid)]:
            self.mempool.pop(name, None)

    def _descendants(self, txid: str) -> Iterator[str]:
        for name, transaction in list(self.transactions.items()):
            if any(parent == txid for parent, _ in spends(transaction)):
                yield name
                yield from self._descendants(name)


@dataclass
class Dialect:
    """Where litecoind 0.21 speaks as Bitcoin Core once did."""

    is_old: bool = False
    chain: str = "regtest"
    subversion: str = "/Satoshi:29.4.3/"
    fields: dict[str, object] = field(default_factory=dict)
    """Of `getblockchaininfo`, in place of what it would say."""
