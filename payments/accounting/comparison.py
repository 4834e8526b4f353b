"""What a node's own books and the shop's must agree on, and what the shop's own figures must. Pure: reads nothing and writes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

from cryptons.money import format_coin, format_fiat
from payments.accounting.periods import Period
from payments.invoices.evaluation import GONE, SETTLED, Received, Terms
from payments.networks.base import BookEntry


class Kind(StrEnum):
    MISSING_IN_SHOP = "missing in the shop"
    MISSING_AT_NODE = "missing at the node"
    AMOUNT = "amount differs"
    DESTINATION = "destination differs"
    STANDING = "standing differs"
    SUM = "sum differs"
    UNBACKED = "settled without money"
    UNSETTLED = "paid but not settled"
    ORDER = "order differs"
    PAYOUT = "payout differs"
    UNORDERED = "left without a payout"
    UNCLAIMED = "for no invoice"


@dataclass(frozen=True)
class Difference:
    kind: Kind
    network: str
    """Empty where the shop differs from itself."""
    subject: str
    """What it is about: a payment's reference, an invoice's label."""
    text: str
    """One or two sentences: what differs, and what to do."""
    at: datetime | None = None
    """When the money came."""
    invoice_id: UUID | None = None

    @property
    def is_note(self) -> bool:
        """Worth knowing, and nothing wrong: a wallet may get money that is none of the shop's business."""
        return self.kind == Kind.UNCLAIMED

    @property
    def key(self) -> str:
        """The same for the same difference, whenever it is found."""
        return f"reconcile {self.kind.name.lower()} {self.network} {self.subject}"[:160]


@dataclass(frozen=True)
class Destination:
    """Where one of the shop's options is paid."""

    invoice_id: UUID
    label: str


@dataclass(frozen=True)
class Booked:
    """A payment as the shop has stored it."""

    reference: str
    destination: str
    amount_base: int
    first_seen_at: datetime
    status: str
    height: int | None
    owner: Destination


def compare(
    network: str, entries: Iterable[BookEntry], payments: Iterable[Booked], ours: Mapping[str, Destination], period: Period
) -> list[Difference]:
    """`ours`: the shop's destinations among those of the entries.

    Entries and payments may reach beyond the period, so that what one side dates a moment later than the other is found on both; told is
    only what at least one of them has within it.
    """
    told = {entry.reference: entry for entry in entries}
    stored = {payment.reference: payment for payment in payments}
    differences = []
    for reference, entry in told.items():
        payment = stored.get(reference)
        if payment is not None:
            if period.holds(entry.received_at) or period.holds(payment.first_seen_at):
                differences += _between(network, entry, payment)
        elif period.holds(entry.received_at):
            differences.append(_not_stored(network, entry, ours.get(entry.destination)))
    for reference, payment in stored.items():
        if reference not in told and payment.status != GONE and period.holds(payment.first_seen_at):
            differences.append(_not_told(network, payment))
    return differences


def _not_stored(network: str, entry: BookEntry, owner: Destination | None) -> Difference:
    amount = f"{format_coin(entry.amount_base, network)} {network}"
    came = f"{amount} came to {entry.destination} at {_moment(entry.received_at)}"
    if owner is None:
        text = f"{came}, which the shop gave to nobody: money of the wallet's owner, or of another shop that used this wallet."
        return Difference(Kind.UNCLAIMED, network, entry.reference, text, entry.received_at)
    text = (
        f"{came} for {owner.label}, and the shop has no such payment. Open the invoice and press “Ask the node now”; if that "
        "does not book it, look into the worker's log."
    )
    return Difference(Kind.MISSING_IN_SHOP, network, entry.reference, text, entry.received_at, owner.invoice_id)


def _not_told(network: str, payment: Booked) -> Difference:
    text = (
        f"The shop has {format_coin(payment.amount_base, network)} {network} as {payment.status} for {payment.owner.label} at "
        f"{_moment(payment.first_seen_at)}, and the node knows of no such money. Do not ship. Is it another node or wallet than before?"
    )
    return Difference(Kind.MISSING_AT_NODE, network, payment.reference, text, payment.first_seen_at, payment.owner.invoice_id)


def _between(network: str, entry: BookEntry, payment: Booked) -> list[Difference]:
    found: dict[Kind, str] = {}
    if entry.amount_base != payment.amount_base:
        found[Kind.AMOUNT] = (
            f"The node received {format_coin(entry.amount_base, network)} {network}, the shop has "
            f"{format_coin(payment.amount_base, network)} {network}."
        )
    if entry.destination != payment.destination:
        found[Kind.DESTINATION] = f"The node received it at {entry.destination}, the shop has it at {payment.destination}."
    if (there := _standing_of_entry(entry)) != (here := _standing_of_payment(payment)):
        found[Kind.STANDING] = f"For the node it is {there}, for the shop {here}."
    at = max(entry.received_at, payment.first_seen_at)
    return [
        Difference(kind, network, entry.reference, f"{payment.owner.label}: {text}", at, payment.owner.invoice_id)
        for kind, text in found.items()
    ]


def _standing_of_entry(entry: BookEntry) -> str:
    if entry.height is not None:
        return f"in block {entry.height}"
    return "settled" if entry.is_confirmed else "waiting for a block"


def _standing_of_payment(payment: Booked) -> str:
    if payment.status == GONE:
        return "gone"
    if payment.height is not None:
        return f"in block {payment.height}"
    return "settled" if payment.status == SETTLED else "waiting for a block"


@dataclass(frozen=True)
class Figures:
    """What is stored of an invoice, to be checked against its payments."""

    invoice_id: UUID
    label: str
    currency: str
    status: str
    paid_seen_minor: int
    paid_safe_minor: int


def check_invoice(stored: Figures, terms: Terms, payments: Iterable[Received]) -> list[Difference]:
    """Its sums are those of its payments; it is settled when there is enough safe money, or a person said so, and only then."""
    kept = [payment for payment in payments if payment.status != GONE]
    safe = [payment for payment in kept if payment.status == SETTLED]
    found: dict[Kind, str] = {}
    wrong = [
        f"its payments make {_fiat(right, stored)} {word}, stored is {_fiat(has, stored)}"
        for word, right, has in (
            ("seen", int(_total(kept)), stored.paid_seen_minor),
            ("safe", int(_total(safe)), stored.paid_safe_minor),
        )
        if right != has
    ]
    if wrong:
        found[Kind.SUM] = f"{'; '.join(wrong)}."
    if not terms.override:
        is_enough = _total(payment for payment in safe if payment.counts) - terms.returned_minor >= terms.enough_minor
        if stored.status == "settled" and not is_enough:
            found[Kind.UNBACKED] = "it is settled, without enough safe money and without anybody's decision. Do not ship."
        elif is_enough and stored.status != "settled":
            found[Kind.UNSETTLED] = f"there is enough safe money, and it is {stored.status}. Open the invoice and press “Ask the node now”."
    return [Difference(kind, "", stored.label, f"{stored.label}: {text}", None, stored.invoice_id) for kind, text in found.items()]


def _total(payments: Iterable[Received]) -> Fraction:
    return sum((payment.value_minor for payment in payments), Fraction(0))


def _fiat(amount: int, stored: Figures) -> str:
    return f"{format_fiat(amount, stored.currency)} {stored.currency}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
