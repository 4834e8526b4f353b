"""Keep the figures: orders that changed are found by `Order.uncounted`, and counted by the worker, so that placing an order costs nothing.

Whoever counts an order first takes its mark away, in the transaction that changes the figures: each change is counted exactly once.
"""

from django.db import IntegrityError
from django.db.models import F

from cryptons.db import in_transaction
from shop.figures.models import CountedOrder, Figure, FigureState
from shop.figures.sales import Sale, Tally, lines_of, read_sales
from shop.models import Order

BATCH = 25
"""Orders of one transaction: it is short, because on SQLite all other writers wait for it."""
MOST_BATCHES = 400
"""Of one run; the next one takes the rest."""

FIELDS = ("pk", "uncounted", "version", "payment_status", "network", "total_minor", "currency", "created_at")


def count_orders(*, most_batches: int | None = MOST_BATCHES) -> int:
    """Bring the figures in line with the orders that changed. Safe to repeat. Returns how many orders were counted."""
    if not Order.objects.uncounted().exists():
        return 0
    make_state()
    counted, batches = 0, 0
    while most_batches is None or batches < most_batches:
        batch = in_transaction(_count_batch)
        if not batch:
            break
        counted, batches = counted + batch, batches + 1
    return counted


def make_state() -> None:
    if FigureState.objects.exists():
        return
    try:
        FigureState.objects.create()
    except IntegrityError:  # another process was first
        return


def _count_batch() -> int:
    """Count some orders, in the caller's transaction. Returns how many: none as well while the figures are emptied."""
    if not FigureState.objects.filter(is_recounting=False).update(turn=F("turn") + 1):
        return 0
    waiting = list(Order.objects.uncounted().order_by("pk").only(*FIELDS)[:BATCH])
    orders = [order for order in waiting if _claim(order)]
    # Read after the claims: who changes an invoice, payment or payout of these orders marks the order again, and waits for this commit.
    ids = [order.pk for order in orders]
    counted = {row.order_id: row for row in CountedOrder.objects.filter(order__in=ids)}
    sales, lines, tally = read_sales(orders), lines_of(orders), Tally()
    for order in orders:
        if order.pk in counted:
            tally.add(order, lines[order.pk], Sale.from_json(counted[order.pk].sale), sign=-1)
            CountedOrder.objects.filter(order=order.pk).update(sale=sales[order.pk].as_json())
        tally.add(order, lines[order.pk], sales[order.pk])
    new = [CountedOrder(order=order, sale=sales[order.pk].as_json()) for order in orders if order.pk not in counted]
    CountedOrder.objects.bulk_create(new)
    _write(tally)
    return len(orders)


def _claim(order: Order) -> bool:
    """Take the order's mark away, unless the order was changed since it was read."""
    return bool(Order.objects.filter(pk=order.pk, version=order.version, uncounted=order.uncounted).update(uncounted=0))


def _write(tally: Tally) -> None:
    new = []
    for key, amounts in tally.left().items():
        if not Figure.objects.filter(**key._asdict()).update(**{name: F(name) + amount for name, amount in amounts.items()}):
            name = tally.names.get(key.key, "") if key.of == Figure.Of.PRODUCT else ""
            new.append(Figure(**key._asdict(), name=name, **amounts))
    Figure.objects.bulk_create(new)
