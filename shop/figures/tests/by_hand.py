"""The figures as somebody would count them who goes through all orders with a pencil."""

from collections import Counter
from datetime import UTC, date

from payments.models import Invoice, Payout
from shop.figures.counting import count_orders
from shop.figures.models import Figure
from shop.models import Order, OrderLine

Sums = dict[tuple[str, str, date, str], Counter[str]]
AMOUNTS = ("placed", "orders", "units", "revenue_minor", "refunds", "refunded_minor")


def check_against_orders() -> None:
    """Let the worker count, and compare what it kept with all orders, days in UTC. The parts in each coin must add up to the whole."""
    count_orders()
    kept, coins = kept_figures(), Counter[str]()
    for key in [key for key in kept if key[0] == "coin"]:
        coins += kept.pop(key)
    by_hand = figures_by_hand()
    assert kept == by_hand
    whole = sum((sums for key, sums in by_hand.items() if key[0] == "all"), Counter[str]())
    names = ("orders", "revenue_minor", "refunds", "refunded_minor")
    assert [coins[name] for name in names] == [whole[name] for name in names]


def kept_figures() -> Sums:
    sums: Sums = {}
    for row in Figure.objects.all():
        amounts = {name: getattr(row, name) for name in AMOUNTS if getattr(row, name)}
        if amounts:
            sums[row.of, row.currency, row.day, row.key] = Counter(amounts)
    return sums


def figures_by_hand() -> Sums:
    sums: Sums = {}

    def count(of: str, order: Order, day: date, key: str = "", **amounts: int) -> None:
        sums.setdefault((of, order.currency, day, key), Counter()).update(amounts)

    for order in Order.objects.all():
        invoices = Invoice.objects.filter(subject_id=order.pk)
        if any(invoice.sandbox_closed_at for invoice in invoices):
            continue
        count("all", order, order.created_at.astimezone(UTC).date(), placed=1)
        for payout in Payout.objects.filter(invoice__in=invoices, kind="refund", status="sent"):
            assert payout.sent_at is not None
            count("all", order, payout.sent_at.astimezone(UTC).date(), refunds=1, refunded_minor=payout.value_minor)
        settled = [invoice.settled_at for invoice in invoices if invoice.settled_at is not None]
        if not settled or order.payment_status not in ("paid", "overpaid", "refunded"):
            continue
        day = min(settled).astimezone(UTC).date()
        lines = list(OrderLine.objects.filter(order=order))
        count("all", order, day, orders=1, revenue_minor=order.total_minor, units=sum(line.quantity for line in lines))
        for line in lines:
            for of, key in (("product", line.sku), ("category", str(line.category_id))):
                count(
                    of, order, day, key, orders=1, units=line.quantity, revenue_minor=line.price_minor * line.quantity - line.discount_minor
                )
    return sums
