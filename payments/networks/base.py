"""Define what the shop asks of a network. Each adapter turns its node's raw answers into these values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from django.utils import timezone

from cryptons.money import Base

ORDER_LABEL = "order_"
"""What the label of each destination begins with."""


@dataclass(frozen=True)
class DestinationRequest:
    label: str
    """`order_<number>`, kept by the node's wallet."""
    amount_base: Base
    expires_at: datetime
    known_block: str = ""
    """A block that the node must know; empty on networks without blocks, and before the first poll."""
    return_url: str = ""
    """Where a network with a page of its own sends the buyer back to; empty for the others."""


@dataclass(frozen=True)
class Destination:
    text: str
    """What identifies it at the node: an address, a payment hash, `address?dt=tag`."""
    payment_request: str = ""
    """What a wallet reads, or the address of the page on which a card is charged."""
    wallet: str = ""
    """The name of the wallet that issued it, where a node has several."""


@dataclass(frozen=True)
class KnownPayment:
    """What the shop has stored of a payment about which it asks."""

    destination: str
    block_hash: str
    first_seen_at: datetime


@dataclass(frozen=True)
class IssuingWallet:
    """A wallet that issued destinations of the shop."""

    name: str
    identity: str
    """A destination that only this wallet can issue."""
    born_at: int = 0
    """Since when it knows its payments, in seconds; 0 if the node does not say. It changes when the wallet is created again."""
    left_at: str = ""
    """When another wallet took its place, in ISO format; empty while it is in use."""
    is_read: bool = True
    """Whether the last poll read it. If not, the next one that can lists it from its beginning."""


def taken_over(known: tuple[IssuingWallet, ...], name: str, *, is_former_read: bool) -> tuple[IssuingWallet, ...]:
    """Return the wallets where a wallet has no other identity than its name, such as an account's address or a node's key.

    If another one was in use until now, it becomes the first of the former ones.
    """
    if not known or known[0].identity == name:
        return known or (IssuingWallet(name, name),)
    left = replace(known[0], left_at=timezone.now().isoformat())
    former = (replace(wallet, is_read=is_former_read) for wallet in (left, *known[1:]) if wallet.identity != name)
    return (IssuingWallet(name, name), *former)


@dataclass(frozen=True)
class Fact:
    """What a node reports about one payment at this moment. To store the same fact twice changes nothing."""

    reference: str
    destination: str
    amount_base: Base
    first_seen_at: datetime
    height: int | None = None
    block_hash: str = ""
    is_present: bool = True
    is_conflicted: bool = False
    is_safe: bool = False
    """The network itself calls it final; chains leave this False and let the depth decide."""
    label: str = ""
    """What the wallet calls the destination."""
    is_reversible: bool = False
    """A part of it, or all, can be taken back even when it is safe, as the payments of cards can."""
    fee_base: int | None = 0
    """What the network took of it from the merchant; None if that is not known now."""


@dataclass(frozen=True)
class NodeRecord:
    """One payment in the node's records, to the shop or to anybody else. Replaced payments and those that lost their block are left out."""

    reference: str
    destination: str
    amount_base: Base
    received_at: datetime
    is_confirmed: bool
    """In a block, or final on a network without blocks."""
    height: int | None = None
    label: str = ""
    """What the wallet calls the destination."""


@dataclass(frozen=True)
class CursorState:
    value: str = ""
    node_id: str = ""
    """What the node calls itself, then, after a blank, what its adapter remembers with it; empty where nodes have no names."""
    wallets: tuple[IssuingWallet, ...] = ()
    """The wallet in use, then those that were in use before and are still read; empty on networks without wallets."""

    @property
    def node_name(self) -> str:
        return self.node_id.partition(" ")[0]


@dataclass(frozen=True)
class FactPage:
    facts: tuple[Fact, ...]
    cursor: CursorState
    tip_height: int | None
    """The chain's height at the moment of the facts; None where depth means nothing."""
    unread: tuple[str, ...] = ()
    """References of payments that could not be read, for staff to check."""
    notices: Mapping[str, str] = field(default_factory=dict)
    """What staff must know in addition: a sentence by the key of its alert."""
    returned: frozenset[str] = frozenset()
    """References of payouts that were sent and whose money has come back, as far as is known; the node is asked before it is believed."""


@dataclass(frozen=True)
class NodeHealth:
    """The health of a node, for staff. A field that the network lacks or the node does not report is None or empty."""

    problem: str
    """Why the node cannot be used, as a sentence; empty while it can."""
    warning: str = ""
    """What needs the attention of staff although the node can be used."""
    height: int | None = None
    behind: int = 0
    """Blocks whose headers are known but which are not yet verified."""
    tip_at: datetime | None = None
    """When its newest block was made."""
    peers: int | None = None
    wallet: str = ""
    """Such as `watch-only, 1,234 addresses given out`."""
    node_name: str = ""
    """What it calls itself, where that tells it from all others."""
    version: str = ""
    clock_off: timedelta = timedelta(0)
    """By how much its system's clock is ahead of the shop's."""
    channels: int | None = None
    active_channels: int | None = None
    receivable_base: Base | None = None
    """What can be paid through its channels now."""
    spendable_base: Base | None = None


class Network(Protocol):
    """An adapter for one network. Every method may raise NodeUnavailable and NodeRejected."""

    code: str

    def open_destination(self, request: DestinationRequest) -> Destination:
        """Return a destination that was never used before. Raises NodeUnavailable while the node is still syncing."""

    def close_destination(self, destination: str) -> None:
        """Refuse any further payment to the destination. Does nothing on a chain, which cannot refuse one."""

    def facts_since(self, cursor: CursorState, unsettled: Mapping[str, KnownPayment]) -> FactPage:
        """Return the payments that came or changed after the cursor, and the present facts of the `unsettled` ones, by reference.

        Also raises AnotherChain.
        """

    def lookup(self, destinations: Sequence[str], wallets: Sequence[IssuingWallet] = ()) -> tuple[Fact, ...]:
        """Return the payments to these destinations. Slower than `facts_since`: for a request by a person and for sweeps.

        `wallets`: those that were in use before.
        """

    def records(self, since: datetime, until: datetime, wallets: Sequence[IssuingWallet] = ()) -> Iterable[NodeRecord]:
        """Return what the wallet received from `since` on and before `until`, for the reconciliation. May be slow.

        `wallets`: those that were in use before, which are read as well.

        Also raises HistoryTooShort, when the node no longer has all records of the period.
        """

    def health(self) -> NodeHealth: ...


@dataclass(frozen=True)
class Standing:
    """What a network says of destinations that may still take money."""

    facts: tuple[Fact, ...]
    ended: frozenset[str]
    """The destinations that take no more money."""
    unknown: frozenset[str]
    """The destinations that the node does not know."""
    unread: frozenset[str]
    """The destinations whose answer could not be read."""


class ClosingNetwork(Network, Protocol):
    """A network that refuses payments to a destination once it is closed."""

    def standing(self, destinations: Sequence[str]) -> Standing:
        """Ask for each of these destinations whether it was paid and whether it still takes money."""

    def has_met(self, cursor: CursorState) -> bool:
        """Return whether what this node does not know was deleted there: the follower's last poll used the same node.

        Asks no node; raises NodeRejected.
        """
