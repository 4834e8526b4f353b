"""A simulated node to try out the shop: it keeps its records in the database, makes a block every few seconds, and has no real money.

It says what a real node would say, through the same interface, so everything behind it is the real program.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from cryptons.coins import Coin, CoreCoin
from cryptons.db import in_transaction
from cryptons.money import Base
from payments.models import SandboxChain, SandboxTransaction
from payments.networks.address_format import BECH32_LETTERS
from payments.networks.base import CursorState, Destination, DestinationRequest, Fact, FactPage, IssuingWallet, NodeHealth, NodeRecord

BLOCK_SECONDS = 4
OVERLAP = timedelta(seconds=30)
"""How far behind its cursor a turn reads again: rows of one moment may be written in any order."""
BUSY_DEPTH = 10
"""Blocks are made while money younger than this is about; then the chain rests."""
REORG_PAUSE = timedelta(seconds=12)

_BASE58 = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"


def _random(letters: str, count: int) -> str:
    most = len(letters)
    return "".join([letters[byte % most] for byte in secrets.token_bytes(count)])


class SandboxNetwork:
    def __init__(self, coin: Coin) -> None:
        self._coin = coin
        self.code = coin.code

    def open_destination(self, request: DestinationRequest) -> Destination:
        """Return an address that looks real but has a checksum that no wallet accepts, so that no real money can be lost."""
        if self._coin.shares_account:
            return Destination(f"r{_random(_BASE58, 33)}?dt={secrets.randbelow(2**32)}")
        prefix = [*self._coin.chains.values()][-1].bech32_prefix if isinstance(self._coin, CoreCoin) else ""
        return Destination(f"{prefix}1q{_random(BECH32_LETTERS, 38)}" if prefix else _random(_BASE58, 34))

    def close_destination(self, destination: str) -> None:
        """Do nothing: like a real chain, the sandbox cannot refuse a payment."""

    def facts_since(self, cursor: CursorState, unsettled: Collection[str]) -> FactPage:
        now = timezone.now()
        mine_due_blocks(self.code, now)
        height = chain(self.code).height
        since = datetime.fromisoformat(cursor.value) if cursor.value else datetime.min.replace(tzinfo=UTC)
        txids = [reference.partition(":")[0] for reference in unsettled]
        rows = SandboxTransaction.objects.filter(Q(changed_at__gte=since) | Q(txid__in=txids), network=self.code)
        return FactPage(tuple(_fact(row) for row in rows), CursorState((now - OVERLAP).isoformat()), height)

    def lookup(self, destinations: Sequence[str], wallets: Sequence[IssuingWallet] = ()) -> tuple[Fact, ...]:
        rows = SandboxTransaction.objects.filter(network=self.code, destination__in=destinations)
        return tuple(_fact(row) for row in rows)

    def records(self, since: datetime, until: datetime, wallets: Sequence[IssuingWallet] = ()) -> list[NodeRecord]:
        rows = SandboxTransaction.objects.filter(network=self.code, is_conflicted=False, received_at__gte=since, received_at__lt=until)
        return [_entry(row) for row in rows]

    def health(self) -> NodeHealth:
        here = chain(self.code)
        return NodeHealth(problem="", height=here.height, tip_at=here.mined_at, wallet=_("play money"))


def _fact(row: SandboxTransaction) -> Fact:
    return Fact(
        reference=f"{row.txid}:0",
        destination=row.destination,
        amount_base=Base(row.amount_base),
        first_seen_at=row.received_at,
        height=row.height,
        block_hash=_block_hash(row.network, row.height) if row.height else "",
        is_present=not row.is_conflicted,
        is_conflicted=row.is_conflicted,
    )


def _entry(row: SandboxTransaction) -> NodeRecord:
    return NodeRecord(
        reference=f"{row.txid}:0",
        destination=row.destination,
        amount_base=Base(row.amount_base),
        received_at=row.received_at,
        is_confirmed=row.height is not None,
        height=row.height,
    )


def _block_hash(network: str, height: int) -> str:
    return hashlib.sha256(f"{network} {height}".encode()).hexdigest()


def chain(network: str) -> SandboxChain:
    return SandboxChain.objects.get_or_create(network=network)[0]


def receive(network: str, destination: str, amount: Base, *, at: datetime, fate: str = "") -> SandboxTransaction:
    """Simulate a payment to a destination: it is in the mempool now, and in a block a little later."""
    return SandboxTransaction.objects.create(
        network=network,
        txid=secrets.token_hex(32),
        destination=destination,
        amount_base=amount,
        received_at=at,
        mine_after=at + timedelta(seconds=BLOCK_SECONDS / 2),
        fate=fate,
        changed_at=at,
    )


def mine_due_blocks(network: str, now: datetime) -> None:
    """Mine one block if the last one is old enough and a payment needs it."""
    last = chain(network)
    if now - last.mined_at < timedelta(seconds=BLOCK_SECONDS):
        return
    waiting = Q(height__isnull=True, is_conflicted=False, mine_after__lte=now) | Q(height__gt=last.height - BUSY_DEPTH)
    if SandboxTransaction.objects.filter(waiting, network=network).exists():
        mine_block(network, now)


def mine_block(network: str, now: datetime) -> None:
    """Mine a block. Of several processes that try at once, the first to raise the height does it."""
    chain(network)
    in_transaction(lambda: _mine(network, now))


def _mine(network: str, now: datetime) -> None:
    """Mine the waiting transactions, and carry out the double spends and reorgs that are due."""
    height = chain(network).height
    if not SandboxChain.objects.filter(network=network, height=height).update(height=F("height") + 1, mined_at=now):
        return
    waiting = SandboxTransaction.objects.filter(network=network, height__isnull=True, is_conflicted=False, mine_after__lte=now)
    waiting.filter(fate="doubleSpend").update(is_conflicted=True, fate="", changed_at=now)
    waiting.update(height=height + 1, changed_at=now)
    deep = SandboxTransaction.objects.filter(network=network, fate="reorg", height__lte=height - 2)
    deep.update(height=None, fate="", mine_after=now + REORG_PAUSE, changed_at=now)


def unmine(transaction_id: UUID, *, now: datetime) -> None:
    """Simulate a reorg: the transaction leaves its block and returns to the mempool for a while."""
    SandboxTransaction.objects.filter(pk=transaction_id).update(height=None, mine_after=now + REORG_PAUSE, changed_at=now)
