"""What one order adds to the figures.

An order counts as revenue while it is paid, with its total, on the day on which its invoice first settled. A refund counts on the day on
which it was sent, with its value of that time. What was overpaid, or came too late, was never revenue, and to return it is no refund.
An order of play money adds nothing once the shop takes real money, not even to the orders that were placed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.utils import timezone

from cryptons.money import UNITS, base_to_minor
from payments.models import Invoice, Option, Payment, Payout
from shop.figures.models import Figure
from shop.models import Order, OrderLine

IS_REVENUE = (Order.PaymentStatus.PAID, Order.PaymentStatus.OVERPAID, Order.PaymentStatus.REFUNDED)
AMOUNTS = ("placed", "orders", "units", "revenue_minor", "refunds", "refunded_minor")

Of = Figure.Of


def day_of(moment: datetime) -> date:
    """Return the day in the shop's time zone."""
    return moment.astimezone(timezone.get_default_timezone()).date()


class Refund(NamedTuple):
    day: date
    coin: str
    value_minor: int


@dataclass(frozen=True)
class Sale:
    """What of an order may change: its lines, total and currency never do."""

    placed: date | None
    """None for an order of play money that was closed."""
    paid: date | None = None
    """None while it is no revenue."""
    coins: tuple[tuple[str, int], ...] = ()
    """The parts of its total that were paid in each coin, in minor units, the greatest first."""
    refunds: tuple[Refund, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "placed": self.placed.isoformat() if self.placed else None,
            "paid": self.paid.isoformat() if self.paid else None,
            "coins": [list(part) for part in self.coins],
            "refunds": [[refund.day.isoformat(), refund.coin, refund.value_minor] for refund in self.refunds],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Sale":
        return cls(
            date.fromisoformat(stored["placed"]) if stored["placed"] else None,
            date.fromisoformat(stored["paid"]) if stored["paid"] else None,
            tuple((coin, minor) for coin, minor in stored["coins"]),
            tuple(Refund(date.fromisoformat(day), coin, minor) for day, coin, minor in stored["refunds"]),
        )


def read_sales(orders: Sequence[Order]) -> dict[UUID, Sale]:
    """Read what these orders add now, by their ids."""
    fields = ("pk", "subject_id", "settled_at", "sandbox_closed_at")
    invoices = Invoice.objects.filter(subject_id__in=[order.pk for order in orders]).values_list(*fields)
    owners: dict[UUID, UUID] = {}
    settled: dict[UUID, datetime] = {}
    play: set[UUID] = set()
    for invoice_id, order_id, settled_at, sandbox_closed_at in invoices:
        owners[invoice_id] = order_id
        if sandbox_closed_at is not None:
            play.add(order_id)
        if settled_at is not None:
            settled[order_id] = min(settled_at, settled.get(order_id, settled_at))
    values, refunds = _paid_values(owners), _refunds(owners)
    return {
        order.pk: Sale(placed=None) if order.pk in play else _sale(order, settled.get(order.pk), values[order.pk], refunds[order.pk])
        for order in orders
    }


def _sale(order: Order, settled_at: datetime | None, values: Mapping[str, int], refunds: Sequence[Refund]) -> Sale:
    if settled_at is None or order.payment_status not in IS_REVENUE:
        return Sale(day_of(order.created_at), refunds=tuple(refunds))
    coins = split(order.total_minor, values or {UNITS[order.network].coin: 1})  # staff accepted it as paid, without money
    return Sale(day_of(order.created_at), day_of(settled_at), coins, tuple(refunds))


def split(total_minor: int, values: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Split a total in the proportion of these values, the greatest first, which takes what rounding leaves."""
    whole = sum(values.values()) or 1
    (first, _), *others = sorted(values.items(), key=lambda part: (-part[1], part[0]))
    parts = [(coin, total_minor * value // whole) for coin, value in others]
    return ((first, total_minor - sum(minor for _, minor in parts)), *parts)


def _paid_values(owners: Mapping[UUID, UUID]) -> dict[UUID, dict[str, int]]:
    """Return the value of each order's confirmed payments by coin, at the rates at which they were taken."""
    here = Payment.objects.filter(invoice__in=list(owners), status=Payment.Status.SETTLED, is_present=True)
    payments = list(here.order_by("pk").values("invoice_id", "option_id", "network", "amount_base", "minor_per_coin"))
    options = Option.objects.filter(pk__in={payment["option_id"] for payment in payments})
    rates = dict(options.order_by().values_list("pk", "minor_per_coin"))
    values: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for payment in payments:
        network, rate = payment["network"], payment["minor_per_coin"] or rates[payment["option_id"]]
        value = base_to_minor(payment["amount_base"], minor_per_coin=rate, network=network)
        values[owners[payment["invoice_id"]]][UNITS[network].coin] += value
    return values


def _refunds(owners: Mapping[UUID, UUID]) -> dict[UUID, list[Refund]]:
    sent = Payout.objects.filter(invoice__in=list(owners), status=Payout.Status.SENT, kind=Payout.Kind.REFUND, sent_at__isnull=False)
    refunds: dict[UUID, list[Refund]] = defaultdict(list)
    for payout in sent.order_by("sent_at", "pk").only("invoice_id", "network", "value_minor", "sent_at"):
        assert payout.sent_at is not None
        refunds[owners[payout.invoice_id]].append(Refund(day_of(payout.sent_at), UNITS[payout.network].coin, payout.value_minor))
    return refunds


class Key(NamedTuple):
    of: str
    currency: str
    day: date
    key: str = ""


@dataclass
class Tally:
    """Sums by day, and of what."""

    sums: dict[Key, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: dict.fromkeys(AMOUNTS, 0)))
    names: dict[str, str] = field(default_factory=dict)
    """Of products, by SKU."""

    def add(self, order: Order, lines: Sequence[OrderLine], sale: Sale, *, sign: int = 1) -> None:
        """Add what the order has in this state, or take it out with the sign -1."""

        def count(of: Of, day: date, key: str = "", **amounts: int) -> None:
            sums = self.sums[Key(of.value, order.currency, day, key)]
            for name, amount in amounts.items():
                sums[name] += sign * amount

        if sale.placed is not None:
            count(Of.ALL, sale.placed, placed=1)
        for refund in sale.refunds:
            for of, key in ((Of.ALL, ""), (Of.COIN, refund.coin)):
                count(of, refund.day, key, refunds=1, refunded_minor=refund.value_minor)
        if sale.paid is None:
            return
        count(Of.ALL, sale.paid, orders=1, units=sum(line.quantity for line in lines), revenue_minor=order.total_minor)
        for place, (coin, minor) in enumerate(sale.coins):
            count(Of.COIN, sale.paid, coin, orders=int(place == 0), revenue_minor=minor)
        for of, keys in ((Of.PRODUCT, [line.sku for line in lines]), (Of.CATEGORY, [str(line.category_id or "") for line in lines])):
            for key in set(keys):
                count(of, sale.paid, key, orders=1)
            for key, line in zip(keys, lines, strict=True):
                count(of, sale.paid, key, units=line.quantity, revenue_minor=line.total_minor - line.discount_minor)
        self.names |= {line.sku: line.name for line in lines}

    def left(self) -> dict[Key, dict[str, int]]:
        """Return the amounts that are not zero."""
        amounts = {key: {name: amount for name, amount in sums.items() if amount} for key, sums in self.sums.items()}
        return {key: sums for key, sums in amounts.items() if sums}


def lines_of(orders: Sequence[Order]) -> dict[UUID, list[OrderLine]]:
    lines: dict[UUID, list[OrderLine]] = defaultdict(list)
    for line in OrderLine.objects.filter(order__in=[order.pk for order in orders]).order_by("pk"):
        lines[line.order_id].append(line)
    return lines
