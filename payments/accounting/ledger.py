"""The ledger of the shop: one row for each payment and each payout, oldest first, and their totals.

Amounts that the shop receives are positive; payouts and their fees are negative. A payment that is gone and a payout that was not sent have
amounts of zero in the file; what they would have been is in columns of its own, so that a column adds up to the admin's sum.

The value in fiat is exact for each row and then rounded to the currency's smallest unit, halves up; a total is the sum of rounded rows, so
that the admin shows what adding up the file gives. The value of a payment is that of its locked rate; the value of a payout is the one that
is stored with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from heapq import merge
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from cryptons.money import UNITS, base_to_minor, format_coin, format_fiat, format_rate
from payments.accounting.periods import Period
from payments.models import Invoice, Option, Payment, Payout

M = TypeVar("M", bound=Model)
Values = dict[str, Any]

PAGE = 1000

COLUMNS = (
    *("time", "kind", "order", "network", "amount", "amount_base", "base_unit", "fee_base"),
    *("currency", "value", "rate", "rate_sources", "reference", "destination", "status", "uncounted_amount", "uncounted_value"),
)


@dataclass(frozen=True)
class LedgerRow:
    at: datetime
    """When the node first saw the payment; when the payout was sent, or drafted while it is not."""
    kind: str
    """`payment` or `payout`."""
    order: str
    network: str
    amount_base: int
    fee_base: int | None
    """The network's fee for a payout, on top of the amount, or Stripe's for a payment; None while it is not known."""
    currency: str
    value_minor: int
    minor_per_coin: Decimal
    rate_sources: dict[str, str]
    reference: str
    destination: str
    status: str

    @property
    def counts(self) -> bool:
        """Whether money was moved: not by a payment that is gone, and not by a payout that was not sent."""
        if self.kind == "payment":
            return self.status in (Payment.Status.SEEN, Payment.Status.SETTLED)
        return self.status == Payout.Status.SENT

    def cells(self) -> Sequence[Any]:
        """Return the row's cells in the order of COLUMNS, with the rate sources sorted by name."""
        sources = "; ".join(f"{name} {quote}" for name, quote in sorted(self.rate_sources.items()))
        amount, value = format_coin(self.amount_base, self.network), format_fiat(self.value_minor, self.currency)
        if self.counts:
            counted, uncounted = (amount, self.amount_base, self.fee_base, value), ("", "")
        else:
            fee = self.fee_base if self.kind == "payment" or self.fee_base is None else 0  # Stripe keeps its fee of what was taken back
            nothing = format_coin(0, self.network), 0, fee, format_fiat(0, self.currency)
            counted, uncounted = nothing, (amount, value)
        return (
            *(self.at, self.kind, self.order, self.network),
            *(*counted[:2], UNITS[self.network].base_name, counted[2]),
            *(self.currency, counted[3], format_rate(self.minor_per_coin, self.currency), sources),
            *(self.reference, self.destination, self.status, *uncounted),
        )


def payments_in(period: Period, network: str = "") -> QuerySet[Payment]:
    return _on(network, Payment.objects.filter(period.of("first_seen_at")))


def payouts_in(period: Period, network: str = "") -> QuerySet[Payout]:
    sent = period.of("sent_at") & Q(sent_at__isnull=False)
    return _on(network, Payout.objects.filter(sent | period.of("created_at") & Q(sent_at__isnull=True)))


def _on(network: str, rows: QuerySet[M]) -> QuerySet[M]:
    return rows.filter(network=network) if network else rows


def ledger(payments: QuerySet[Payment], payouts: QuerySet[Payout]) -> Iterator[LedgerRow]:
    """Yield the rows of payments and payouts, oldest first. They are read page by page, so a million rows need no more memory."""
    return merge(
        _payment_rows(payments),
        _payout_rows(payouts.filter(sent_at__isnull=False), "sent_at"),
        _payout_rows(payouts.filter(sent_at__isnull=True), "created_at"),
        key=lambda row: row.at,
    )


def order_of(label: str) -> str:
    """Return an order's number from the label of its invoice."""
    return label.removeprefix("order_")


def _payment_rows(payments: QuerySet[Payment]) -> Iterator[LedgerRow]:
    own = ("network", "amount_base", "fee_base", "minor_per_coin", "reference", "status", "option_id", "invoice_id")
    for page in pages(payments, "first_seen_at", own):
        options = _by_id(Option, page, "option_id", ("minor_per_coin", "rate_sources", "destination"))
        invoices = _by_id(Invoice, page, "invoice_id", ("label", "currency"))
        for payment in page:
            option, invoice = options[payment["option_id"]], invoices[payment["invoice_id"]]
            rate = payment["minor_per_coin"] or option["minor_per_coin"]
            yield LedgerRow(
                at=payment["first_seen_at"],
                kind="payment",
                order=order_of(invoice["label"]),
                network=payment["network"],
                amount_base=payment["amount_base"],
                fee_base=None if payment["fee_base"] is None else -payment["fee_base"],
                currency=invoice["currency"],
                value_minor=base_to_minor(payment["amount_base"], minor_per_coin=rate, network=payment["network"]),
                minor_per_coin=rate,
                rate_sources=option["rate_sources"],
                reference=payment["reference"],
                destination=option["destination"],
                status=payment["status"],
            )


def _payout_rows(payouts: QuerySet[Payout], moment: str) -> Iterator[LedgerRow]:
    same = ("network", "currency", "minor_per_coin", "rate_sources", "destination", "status")
    for page in pages(payouts, moment, (*same, "reference", "amount_base", "fee_base", "value_minor", "invoice_id")):
        invoices = _by_id(Invoice, page, "invoice_id", ("label",))
        for payout in page:
            yield LedgerRow(
                at=payout[moment],
                kind="payout",
                order=order_of(invoices[payout["invoice_id"]]["label"]),
                amount_base=-payout["amount_base"],
                fee_base=None if payout["fee_base"] is None else -payout["fee_base"],
                value_minor=-payout["value_minor"],
                reference=payout["reference"] or "",
                **{name: payout[name] for name in same},
            )


def pages(rows: QuerySet[Any], moment: str, fields: Sequence[str]) -> Iterator[list[Values]]:
    """Yield pages of rows, oldest first, each by one short query, so that a slow download holds nothing open in the database."""
    rows = rows.order_by(moment, "pk").values("pk", moment, *fields)
    page = list(rows[:PAGE])
    while page:
        yield page
        if len(page) < PAGE:
            return
        at, pk = page[-1][moment], page[-1]["pk"]
        behind = Q(**{f"{moment}__gt": at}) | Q(**{moment: at, "pk__gt": pk})
        page = list(rows.filter(behind, **{f"{moment}__gte": at})[:PAGE])


def _by_id(model: type[Model], page: list[Values], key: str, fields: Sequence[str]) -> dict[UUID, Values]:
    rows = model._default_manager.filter(pk__in={row[key] for row in page}).values("pk", *fields)
    return {row["pk"]: row for row in rows}


@dataclass
class Totals:
    """What was received and paid out over one network in one currency. As in an invoice, seen includes what is confirmed."""

    network: str
    currency: str
    seen_base: int = 0
    safe_base: int = 0
    paid_out_base: int = 0
    fees_base: int = 0
    seen_minor: int = 0
    safe_minor: int = 0
    paid_out_minor: int = 0

    def add(self, row: LedgerRow) -> None:
        if row.kind == "payment" and row.counts:
            self.seen_base += row.amount_base
            self.seen_minor += row.value_minor
        if row.kind == "payment" and row.status == Payment.Status.SETTLED:
            self.safe_base += row.amount_base
            self.safe_minor += row.value_minor
        if row.kind == "payment" or row.counts:
            self.fees_base += row.fee_base or 0
        if row.kind == "payout" and row.counts:
            self.paid_out_base += row.amount_base
            self.paid_out_minor += row.value_minor


class RunningTotals:
    """Add up rows as they pass through."""

    def __init__(self) -> None:
        self.count = 0
        self._totals: dict[tuple[str, str], Totals] = {}

    def over(self, rows: Iterable[LedgerRow]) -> Iterator[LedgerRow]:
        for row in rows:
            key = (row.network, row.currency)
            if key not in self._totals:
                self._totals[key] = Totals(*key)
            self._totals[key].add(row)
            self.count += 1
            yield row

    def totals(self) -> list[Totals]:
        return [self._totals[key] for key in sorted(self._totals)]


def add_up(rows: Iterable[LedgerRow]) -> list[Totals]:
    running = RunningTotals()
    for _ in running.over(rows):
        pass
    return running.totals()
