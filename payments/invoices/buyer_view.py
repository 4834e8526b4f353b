"""Read the state of an invoice for its buyer's page, in one query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery

from cryptons.coins import CARD, LIGHTNING
from cryptons.money import Base, amount_due, format_coin, least_payable
from cryptons.shop_identity import shop_name
from payments.confirmations import confirmations_shown
from payments.invoices.assessment import received_as
from payments.invoices.evaluation import GONE
from payments.invoices.refundable import NOTHING_WENT
from payments.models import Cursor, Invoice, Option, Payment, Payout
from payments.networks.payment_uri import payment_uri, split_destination

OPTION_FIELDS = ("network", "destination", "due_base", "minor_per_coin")
INVOICE_FIELDS = (
    "subject_id",
    "label",
    "status",
    "flags",
    "version",
    "price_minor",
    "currency",
    "paid_seen_minor",
    "created_at",
    "expires_at",
    "confirmations_needed",
)
PAYMENT_FIELDS = (
    "network",
    "amount_base",
    "status",
    "first_seen_at",
    "height",
    "is_present",
    "is_safe",
    "late",
    "minor_per_coin",
    "is_slow",
)


@dataclass(frozen=True)
class QuoteView:
    """How an invoice is to be paid: its newest quote."""

    invoice_id: UUID
    status: str
    network: str
    destination: str
    payment_request: str
    """The BOLT11 invoice that pays the same; empty without Lightning, and once a part was paid: it asks for all."""
    page_url: str
    """The address of the page that charges a card; empty for coins, and when its amount is no longer what remains to be paid."""
    due_base: Base
    expires_at: datetime

    @property
    def address(self) -> str:
        return split_destination(self.destination)[0]

    @property
    def destination_tag(self) -> str:
        return split_destination(self.destination)[1]

    @property
    def due_text(self) -> str:
        return format_coin(self.due_base, self.network)

    @property
    def remaining_base(self) -> Base:
        return self.due_base

    @property
    def uri(self) -> str:
        if self.network == CARD:
            return self.page_url
        return payment_uri(self.network, self.destination, self.remaining_base, label=shop_name(), lightning=self.payment_request)


@dataclass(frozen=True)
class BuyerView(QuoteView):
    subject_id: UUID
    label: str
    flags: frozenset[str]
    version: int
    minor_per_coin: Decimal
    price_minor: int
    currency: str
    paid_seen_minor: int
    """All money that was seen, counted or not."""
    counted_minor: int
    """The part that pays the price, rounded down; the rest came late and needs a decision."""
    created_at: datetime
    confirmations: int
    """The confirmations of the payment that has fewest; 0 while any is not in a block."""
    confirmations_needed: int
    payout_status: str
    """The status of the newest payout to the buyer; empty without one."""
    payout_kind: str
    answered_at: datetime | None
    """The last answer of the node that answered longest ago, of those that this quote can be paid over; None if one never did."""

    @property
    def remaining_minor(self) -> int:
        return max(0, self.price_minor - self.counted_minor)

    @property
    def remaining_base(self) -> Base:
        """What remains to be paid, at the rate of the newest quote; never so little that it cannot be sent."""
        if not self.counted_minor:
            return self.due_base
        due = amount_due(self.remaining_minor, minor_per_coin=self.minor_per_coin, network=self.network)
        return max(due, least_payable(self.network))

    @property
    def remaining_text(self) -> str:
        return format_coin(self.remaining_base, self.network)

    @property
    def waiting_minor(self) -> int:
        """The late money that was not accepted yet, at the rate of its quote."""
        return self.paid_seen_minor - self.counted_minor

    @property
    def is_open(self) -> bool:
        """Whether the invoice still waits for payment."""
        return self.status == Invoice.Status.NEW

    @property
    def paid_share(self) -> Fraction:
        return Fraction(min(self.counted_minor, self.price_minor), self.price_minor)


def view_new_quote(invoice: Invoice, options: Sequence[Option]) -> QuoteView:
    """Show the first quote of an invoice that was just written. Asks the database nothing."""
    option = next((option for option in options if option.network != LIGHTNING), options[0])
    return QuoteView(
        invoice_id=invoice.pk,
        status=invoice.status,
        network=option.network,
        destination=option.destination,
        payment_request=next((option.payment_request for option in options if option.network == LIGHTNING), ""),
        page_url=option.payment_request if option.network == CARD else "",
        due_base=Base(option.due_base),
        expires_at=invoice.expires_at,
    )


def read_buyer_view(invoice_id: UUID) -> BuyerView:
    """Read the state of an invoice. Raises Invoice.DoesNotExist."""
    rows = _read_rows(invoice_id)
    if not rows:
        raise Invoice.DoesNotExist
    options = {row["pk"]: row for row in rows}
    by_payment = {row["invoice__payments__id"]: row for row in rows if row["invoice__payments__id"]}
    payments = [_payment(row, options) for row in by_payment.values()]
    newest_quote = [row for row in options.values() if row["created_at"] == rows[0]["created_at"]]
    newest = next((row for row in newest_quote if row["network"] != LIGHTNING), newest_quote[0])
    lightning = next((row["payment_request"] for row in newest_quote if row["network"] == LIGHTNING), "")
    view = BuyerView(
        invoice_id=invoice_id,
        payment_request=lightning,
        page_url=newest["payment_request"] if newest["network"] == CARD else "",
        counted_minor=min(_counted(payments), newest["invoice__paid_seen_minor"]),
        confirmations=_confirmations(payments, options.values(), newest["invoice__confirmations_needed"]),
        payout_status=newest["payout_status"] or "",
        payout_kind=newest["payout_kind"] or "",
        answered_at=min((row["answered_at"] for row in newest_quote if row["answered_at"]), default=None)
        if all(row["answered_at"] for row in newest_quote)
        else None,
        **{name: newest[name] for name in OPTION_FIELDS},
        **{name: newest[f"invoice__{name}"] for name in INVOICE_FIELDS},
    )
    return view if view.remaining_base == view.due_base else replace(view, payment_request="", page_url="")


def _read_rows(invoice_id: UUID) -> list[dict[str, Any]]:
    """Return a row for each option and payment of the invoice, the newest quote first."""
    cursor = Cursor.objects.filter(network=OuterRef("network"))
    payouts = Payout.objects.filter(invoice=OuterRef("invoice")).exclude(status__in=NOTHING_WENT).order_by("-created_at")
    options = Option.objects.filter(invoice=invoice_id).annotate(
        tip_height=Subquery(cursor.values("tip_height")[:1]),
        answered_at=Subquery(cursor.values("answered_at")[:1]),
        payout_status=Subquery(payouts.values("status")[:1]),
        payout_kind=Subquery(payouts.values("kind")[:1]),
    )
    own = ("pk", "tip_height", "answered_at", "payout_status", "payout_kind", "created_at", "expires_at", "payment_request", *OPTION_FIELDS)
    of_payments = [f"invoice__payments__{name}" for name in ("id", "option", *PAYMENT_FIELDS)]
    of_invoice = [f"invoice__{name}" for name in INVOICE_FIELDS]
    return list(options.order_by("-created_at", "-pk").values(*own, *of_invoice, *of_payments))


def _payment(row: dict[str, Any], options: dict[UUID, dict[str, Any]]) -> Payment:
    option = options[row["invoice__payments__option"]]
    its_option = Option(minor_per_coin=option["minor_per_coin"], expires_at=option["expires_at"])
    return Payment(option=its_option, **{name: row[f"invoice__payments__{name}"] for name in PAYMENT_FIELDS})


def _counted(payments: Iterable[Payment]) -> int:
    """Return the counted money in minor units, rounded down."""
    received = (received_as(payment, payment.status) for payment in payments if payment.status != GONE)
    return int(sum((each.value_minor for each in received if each.counts), Fraction(0)))


def _confirmations(payments: Iterable[Payment], options: Iterable[dict[str, Any]], needed: int) -> int:
    tips = {option["network"]: option["tip_height"] for option in options}
    shown = (
        confirmations_shown(payment, tip_height=tips[payment.network], confirmations_needed=needed)
        for payment in payments
        if payment.is_present
    )
    return min(shown, default=0)
