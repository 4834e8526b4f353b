"""Compare the figures with the orders that they are made of, and make them again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

from cryptons.chunks import CHUNK, chunks
from cryptons.db import in_transaction
from payments.models import Invoice, Payout
from shop.figures.counting import FIELDS, count_orders, make_state
from shop.figures.models import CountedOrder, Figure, FigureState
from shop.figures.sales import AMOUNTS, Key, Tally, lines_of, read_sales
from shop.models import Order

MARGIN = timedelta(days=2)
"""An order is read from that much earlier, because of time zones. What it adds to an earlier day is not compared."""


class RecountReplaced(Exception):
    """Another recount has begun after this one, and counts all orders."""


@dataclass(frozen=True)
class Difference:
    key: Key
    kept: dict[str, int]
    counted: dict[str, int]

    def __str__(self) -> str:
        name = f"{self.key.day} {self.key.currency} {self.key.of} {self.key.key}".rstrip()
        both = (f"{name} {self.kept.get(name, 0)}, not {self.counted.get(name, 0)}" for name in AMOUNTS)
        wrong = [words for name, words in zip(AMOUNTS, both, strict=True) if self.kept.get(name, 0) != self.counted.get(name, 0)]
        return f"{name}: {', '.join(wrong)}"


def differences(since: date | None = None) -> list[Difference]:
    """Count again what the figures of each day say, from `since` on, and return what differs."""
    counted = {key: amounts for key, amounts in _count(since).left().items() if since is None or key.day >= since}
    rows = Figure.objects.filter(day__gte=since) if since else Figure.objects.all()
    kept: dict[Key, dict[str, int]] = {}
    for row in rows.order_by().values_list("of", "currency", "day", "key", *AMOUNTS).iterator(chunk_size=CHUNK):
        amounts = {name: amount for name, amount in zip(AMOUNTS, row[4:], strict=True) if amount}
        if amounts:
            kept[Key(*row[:4])] = amounts
    wrong = sorted(key for key in kept.keys() | counted.keys() if kept.get(key) != counted.get(key))
    return [Difference(key, kept.get(key, {}), counted.get(key, {})) for key in wrong]


def _count(since: date | None) -> Tally:
    tally = Tally()
    for ids in chunks(_order_ids(since)):
        orders = list(Order.objects.filter(pk__in=ids).only(*FIELDS))
        sales, lines = read_sales(orders), lines_of(orders)
        for order in orders:
            tally.add(order, lines[order.pk], sales[order.pk])
    return tally


def _order_ids(since: date | None) -> Iterable[UUID]:
    """Yield the orders that can have added something since that day: each that was placed, paid or refunded since, and some more."""
    if since is None:
        yield from _ids(Order.objects.all())
        return
    start = datetime.combine(since - MARGIN, time(), UTC)
    changed = set(Order.objects.filter(updated_at__gte=start).values_list("pk", flat=True))
    sent = set(Payout.objects.filter(sent_at__gte=start).values_list("invoice_id", flat=True))
    for invoices in chunks(sorted(sent)):
        changed |= set(Invoice.objects.filter(pk__in=invoices).values_list("subject_id", flat=True))
    yield from sorted(changed)


def _ids(rows: QuerySet[Any]) -> Iterator[UUID]:
    """Yield the keys of rows in their order, each page by a short query, also while they are changed or deleted."""
    rows, last = rows.order_by("pk"), Q()
    while page := list(rows.filter(last).values_list("pk", flat=True)[:CHUNK]):
        yield from page
        last = Q(pk__gt=page[-1])


def recount() -> int:
    """Empty the figures and count all orders again. Can be repeated when it was interrupted. Returns how many orders were counted.

    Nobody counts while they are emptied, and in the time after that they rise to what they must be: orders may go on being placed.
    Raises RecountReplaced when another recount begins.
    """
    make_state()
    turn = in_transaction(_begin)
    turn = _empty(CountedOrder.objects.all(), _empty(Figure.objects.all(), turn))
    for ids in chunks(_ids(Order.objects.filter(uncounted=0))):
        Order.objects.filter(pk__in=ids, uncounted=0).update(uncounted=1)
    in_transaction(partial(_take_turn, turn, is_recounting=False))
    return count_orders(most_batches=None)


def _begin() -> int:
    """Stop the counting, and another recount that is under way. Returns the turn of this one, in the caller's transaction."""
    FigureState.objects.update(turn=F("turn") + 1, is_recounting=True)
    return FigureState.objects.get().turn


def _take_turn(turn: int, **values: Any) -> None:
    """Take the next turn in the caller's transaction, during which no other recount can begin. Raises RecountReplaced if one has begun."""
    if not FigureState.objects.filter(turn=turn, is_recounting=True).update(turn=turn + 1, **values):
        raise RecountReplaced


def _empty(rows: QuerySet[Any], turn: int) -> int:
    """Delete the rows, a chunk in each turn. Those of another recount, which may count again already, stay. Returns the next turn."""
    while in_transaction(partial(_delete_some, rows, turn)):
        turn += 1
    return turn + 1


def _delete_some(rows: QuerySet[Any], turn: int) -> bool:
    _take_turn(turn)
    keys = list(rows.order_by().values_list("pk", flat=True)[:CHUNK])
    rows.filter(pk__in=keys).delete()
    return bool(keys)
