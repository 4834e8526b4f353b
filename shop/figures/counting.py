"""Keep the figures: orders that changed are found by `Order.uncounted`, and counted by the worker, so that placing an order costs nothing.

Its mark is taken away in the transaction that changes the figures, so each change is counted exactly once.
"""

from django.db import IntegrityError
from django.db.models import F

from cryptons.db import in_transaction
from cryptons.kept_sql import insert, new_row
from shop.figures.models import CountedOrder, Figure, FigureState
from shop.figures.sales import Sale, Tally, lines_of, read_sales
from shop.models import Order

BATCH = 50
"""Orders of one transaction: it is short, because on SQLite all other writers wait for it."""
MOST_BATCHES = 400
"""Of one run; the next one takes the rest."""

FIELDS = ("pk", "payment_status", "network", "total_minor", "currency", "created_at")


def count_orders(*, most_batches: int | None = MOST_BATCHES) -> int:
    """Bring the figures in line with the orders that changed. Safe to repeat. Returns how many orders were counted."""
    if not Order.objects.uncounted().exists():
        return 0
    make_state()
    counted, batches = 0, 0
    while most_batches is None or batches < most_batches:
        batch = in_transaction(_count_batch)
        counted, batches = counted + batch, batches + 1
        if batch < BATCH:
            break
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
    ids = list(Order.objects.uncounted().order_by("pk").values_list("pk", flat=True)[:BATCH])
    # All is read after that: who changes one of these orders, its invoice or its payouts marks it again, and waits for this commit.
    Order.objects.filter(pk__in=ids).update(uncounted=0)
    orders = list(Order.objects.filter(pk__in=ids).only(*FIELDS))
    counted = {row.order_id: Sale.from_json(row.sale) for row in CountedOrder.objects.filter(order__in=ids)}
    sales, tally, new = read_sales(orders), Tally(), []
    changed = [order for order in orders if sales[order.pk] != counted.get(order.pk)]
    lines = lines_of([order for order in changed if any(sale and sale.paid for sale in (sales[order.pk], counted.get(order.pk)))])
    for order in changed:
        sale, before = sales[order.pk], counted.get(order.pk)
        if before is None:
            new.append(new_row(CountedOrder, order_id=order.pk, sale=sale.as_json()))
        else:
            tally.add(order, lines[order.pk], before, sign=-1)
            CountedOrder.objects.filter(order=order.pk).update(sale=sale.as_json())
        tally.add(order, lines[order.pk], sale)
    insert(new)
    _write(tally)
    return len(orders)


def _write(tally: Tally) -> None:
    new = []
    for key, amounts in tally.left().items():
        if not Figure.objects.filter(**key._asdict()).update(**{name: F(name) + amount for name, amount in amounts.items()}):
            name = tally.names.get(key.key, "") if key.of == Figure.Of.PRODUCT else ""
            new.append(Figure(**key._asdict(), name=name, **amounts))
    Figure.objects.bulk_create(new)
