"""Compare a node's records with the shop's payments, and an invoice with its payments. Pure: reads nothing and writes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cryptons.formats import money, network_amount
from payments.accounting.periods import Period
from payments.invoices.evaluation import GONE, SETTLED, Received, Terms
from payments.networks.base import ORDER_LABEL, NodeRecord


class Kind(StrEnum):
    MISSING_IN_SHOP = gettext_noop("missing in the shop")
    MISSING_AT_NODE = gettext_noop("missing at the node")
    AMOUNT = gettext_noop("amount differs")
    DESTINATION = gettext_noop("destination differs")
    STANDING = gettext_noop("status differs")
    SUM = gettext_noop("sum differs")
    UNBACKED = gettext_noop("settled without money")
    UNSETTLED = gettext_noop("paid but not settled")
    ORDER = gettext_noop("order differs")
    PAYOUT = gettext_noop("payout differs")
    UNORDERED = gettext_noop("sent without a payout")
    LOST_ORDER = gettext_noop("for an unknown order")
    WALLET = gettext_noop("another wallet")
    UNCLAIMED = gettext_noop("for no invoice")

    @property
    def label(self) -> str:
        """The value, in the active language."""
        return _(self.value)


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
    """When the money was received."""
    invoice_id: UUID | None = None

    @property
    def is_note(self) -> bool:
        """Whether nothing is wrong: a wallet may also receive money that has nothing to do with the shop."""
        return self.kind == Kind.UNCLAIMED

    @property
    def key(self) -> str:
        """Identify the difference: the same difference has the same key in every run."""
        return f"reconcile {self.kind.name.lower()} {self.network} {self.subject}"[:160]


@dataclass(frozen=True)
class Owner:
    """The invoice that a destination of the shop belongs to."""

    invoice_id: UUID
    label: str


@dataclass(frozen=True)
class StoredPayment:
    """A payment as the shop has stored it."""

    reference: str
    destination: str
    amount_base: int
    first_seen_at: datetime
    status: str
    height: int | None
    owner: Owner


def compare(
    network: str, entries: Iterable[NodeRecord], payments: Iterable[StoredPayment], ours: Mapping[str, Owner], period: Period
) -> list[Difference]:
    """Return the differences between a node's records and the shop's payments.

    `ours`: the shop's destinations among those of the entries. Entries and payments may reach beyond the period, so that a payment that
    one side dates a moment later is read on both; a difference counts when at least one side has it within the period.
    """
    recorded = {entry.reference: entry for entry in entries}
    stored = {payment.reference: payment for payment in payments}
    differences = []
    for reference, entry in recorded.items():
        payment = stored.get(reference)
        if payment is not None:
            if period.holds(entry.received_at) or period.holds(payment.first_seen_at):
                differences += _compare_one(network, entry, payment)
        elif period.holds(entry.received_at):
            differences.append(_missing_in_shop(network, entry, ours.get(entry.destination)))
    for reference, payment in stored.items():
        if reference not in recorded and payment.status != GONE and period.holds(payment.first_seen_at):
            differences.append(_missing_at_node(network, payment))
    return differences


def _missing_in_shop(network: str, entry: NodeRecord, owner: Owner | None) -> Difference:
    facts = {
        "amount": network_amount(entry.amount_base, network),
        "destination": entry.destination,
        "time": _moment(entry.received_at),
    }
    if owner is None and entry.label.startswith(ORDER_LABEL):
        text = _(
            "%(amount)s was received at %(destination)s at %(time)s. The wallet issued this address for the order %(order)s, which the "
            "shop does not know: was it restored from a backup? Find the buyer in your mails, and send the goods or the money."
        ) % {**facts, "order": entry.label.removeprefix(ORDER_LABEL)}
        return Difference(Kind.LOST_ORDER, network, entry.reference, text, entry.received_at)
    if owner is None:
        text = (
            _(
                "%(amount)s was received at %(destination)s at %(time)s. The shop did not issue this destination: the money belongs to "
                "the owner of the wallet, or to another shop that used it."
            )
            % facts
        )
        return Difference(Kind.UNCLAIMED, network, entry.reference, text, entry.received_at)
    text = _(
        "%(amount)s was received at %(destination)s at %(time)s for %(invoice)s, and the shop has no such payment. Open the invoice and "
        "press “Ask the node now”; if that does not store it, look into the worker's log."
    ) % {**facts, "invoice": owner.label}
    return Difference(Kind.MISSING_IN_SHOP, network, entry.reference, text, entry.received_at, owner.invoice_id)


def _missing_at_node(network: str, payment: StoredPayment) -> Difference:
    text = _(
        "The shop has %(amount)s as %(status)s for %(invoice)s at %(time)s, and the node has no record of it. Do not ship. Check whether "
        "the node or the wallet was replaced."
    ) % {
        "amount": network_amount(payment.amount_base, network),
        "status": payment.status,
        "invoice": payment.owner.label,
        "time": _moment(payment.first_seen_at),
    }
    return Difference(Kind.MISSING_AT_NODE, network, payment.reference, text, payment.first_seen_at, payment.owner.invoice_id)


def _compare_one(network: str, entry: NodeRecord, payment: StoredPayment) -> list[Difference]:
    differences: dict[Kind, str] = {}
    if entry.amount_base != payment.amount_base:
        differences[Kind.AMOUNT] = _("%(invoice)s: The node received %(theirs)s, the shop has %(ours)s.") % {
            "invoice": payment.owner.label,
            "theirs": network_amount(entry.amount_base, network),
            "ours": network_amount(payment.amount_base, network),
        }
    if entry.destination != payment.destination:
        differences[Kind.DESTINATION] = _("%(invoice)s: The node received it at %(theirs)s, the shop has it at %(ours)s.") % {
            "invoice": payment.owner.label,
            "theirs": entry.destination,
            "ours": payment.destination,
        }
    if (theirs := _status_at_node(entry)) != (ours := _status_in_shop(payment)):
        differences[Kind.STANDING] = _("%(invoice)s: For the node it is %(theirs)s, for the shop %(ours)s.") % {
            "invoice": payment.owner.label,
            "theirs": theirs,
            "ours": ours,
        }
    at = max(entry.received_at, payment.first_seen_at)
    return [Difference(kind, network, entry.reference, text, at, payment.owner.invoice_id) for kind, text in differences.items()]


def _status_at_node(entry: NodeRecord) -> str:
    if entry.height is not None:
        return _("in block %(height)s") % {"height": entry.height}
    return _("settled") if entry.is_confirmed else _("waiting for a block")


def _status_in_shop(payment: StoredPayment) -> str:
    if payment.status == GONE:
        return _("gone")
    if payment.height is not None:
        return _("in block %(height)s") % {"height": payment.height}
    return _("settled") if payment.status == SETTLED else _("waiting for a block")


@dataclass(frozen=True)
class StoredInvoice:
    """An invoice as the shop has stored it."""

    invoice_id: UUID
    label: str
    currency: str
    status: str
    paid_seen_minor: int
    paid_safe_minor: int


def check_invoice(stored: StoredInvoice, terms: Terms, payments: Iterable[Received]) -> list[Difference]:
    """Return the differences between an invoice and its payments.

    Its sums must be those of its payments. It must be settled when enough was confirmed, or when staff decided so, and only then.
    """
    kept = [payment for payment in payments if payment.status != GONE]
    safe = [payment for payment in kept if payment.status == SETTLED]
    differences: dict[Kind, str] = {}
    wrong = [
        sentence % {"right": _fiat(right, stored), "stored": _fiat(has, stored)}
        for sentence, right, has in (
            (_("its payments make %(right)s seen, stored is %(stored)s"), int(_total(kept)), stored.paid_seen_minor),
            (_("its payments make %(right)s confirmed, stored is %(stored)s"), int(_total(safe)), stored.paid_safe_minor),
        )
        if right != has
    ]
    if wrong:
        differences[Kind.SUM] = f"{stored.label}: {'; '.join(wrong)}."
    if not terms.override:
        counted = [payment for payment in safe if payment.counts]
        is_enough = _total(counted) - terms.returned_minor >= terms.enough_minor(counted)
        if stored.status == "settled" and not is_enough:
            differences[Kind.UNBACKED] = _(
                "%(invoice)s: it is settled although too little was confirmed and staff did not decide so. Do not ship."
            ) % {"invoice": stored.label}
        elif is_enough and stored.status != "settled":
            differences[Kind.UNSETTLED] = _(
                "%(invoice)s: enough was confirmed, and it is %(status)s. Open the invoice and press “Ask the node now”."
            ) % {"invoice": stored.label, "status": stored.status}
    return [Difference(kind, "", stored.label, text, None, stored.invoice_id) for kind, text in differences.items()]


def _total(payments: Iterable[Received]) -> Fraction:
    return sum((payment.value_minor for payment in payments), Fraction(0))


def _fiat(amount: int, stored: StoredInvoice) -> str:
    return money(amount, stored.currency)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
