"""One turn of a network's follower: ask the node once, write facts and cursor together, then let the touched invoices settle."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db.models import Q

from cryptons.db import in_transaction
from payments.errors import NodeRejected, NodeUnavailable, PaymentError
from payments.models import Cursor, Invoice, Option, Payment
from payments.networks import get_network
from payments.networks.base import FINAL_DEPTH, CursorState, FactPage
from payments.replaced_node import tell_staff
from payments.settlement import settle, store_facts, touch
from payments.unclaimed import note_unclaimed

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
LOOK_AGAIN = timedelta(days=1)
"""For so long it is asked why a payment has gone."""


class LeaseLost(PaymentError):
    """The turn took too long, and another follower reads on from the old cursor. Nothing of this turn is written."""


def follow(network: str, *, at: datetime) -> set[UUID]:
    """Take one turn. Returns the invoices that need a new verdict; none when another follower holds the lease or the node is away."""
    with lease(network, at=at) as cursor:
        if cursor is None:
            return set()
        try:
            page = get_network(network).facts_since(CursorState(cursor.value, cursor.node_id), _unsettled(network, at=at))
        except (NodeUnavailable, NodeRejected) as error:
            remember_failure(cursor, str(error), at=at)
            return set()
        touched = in_transaction(lambda: _write(cursor, page, at=at))
        return touched | (_touch_deeper(network, page.tip_height) if page.tip_height is not None else set())


def _unsettled(network: str, *, at: datetime) -> list[str]:
    """What is booked and not final; and what went not long ago: a node may say only later that other money was spent in its place."""
    there = Payment.objects.filter(network=network, is_final=False, is_present=True)
    gone = Payment.objects.filter(network=network, status=Payment.Status.GONE, is_conflicted=False, updated_at__gte=at - LOOK_AGAIN)
    return [*there.values_list("reference", flat=True), *gone.values_list("reference", flat=True)]


@contextmanager
def lease(network: str, *, at: datetime) -> Iterator[Cursor | None]:
    """The network's cursor, ours alone until the block ends or LEASE runs out; None while another holds it."""
    Cursor.objects.get_or_create(network=network)
    holder = uuid4()
    if not _take(network, holder, at=at):
        in_transaction(lambda: Cursor.objects.filter(network=network).update(is_wanted=True))
        if not _take(network, holder, at=at):  # as it is, unless the other's turn ended meanwhile
            yield None
            return
    try:
        yield Cursor.objects.get(network=network)
    finally:
        Cursor.objects.filter(network=network, holder=holder).update(holder=None, until=None)


def _take(network: str, holder: UUID, *, at: datetime) -> bool:
    free = Q(until__isnull=True) | Q(until__lte=at)
    return bool(Cursor.objects.filter(free, network=network).update(holder=holder, until=at + LEASE, is_wanted=False))


def is_wanted(network: str) -> bool:
    """Whether somebody wanted a turn while the last one was under way, and nobody has taken one since. To be asked after it."""
    return Cursor.objects.filter(network=network, is_wanted=True, holder=None).exists()


def _write(cursor: Cursor, page: FactPage, *, at: datetime) -> set[UUID]:
    network = cursor.network
    advanced = Cursor.objects.filter(network=network, holder=cursor.holder).update(
        value=page.cursor.value,
        node_id=page.cursor.node_id,
        tip_height=page.tip_height,
        answered_at=at,
        failing_since=None,
        last_error="",
    )
    if not advanced:
        raise LeaseLost(f"Another follower of {network} took over.")
    tell_staff(cursor, page.cursor, at=at)
    touched = store_facts(network, page.facts)
    note_unclaimed(network, page.facts, at=at)
    if page.tip_height is not None:
        _finalise(network, page.tip_height)
    return touched


def _touch_deeper(network: str, tip_height: int) -> set[UUID]:
    """Invoices whose payments became deep enough, or are no longer, although nothing was said of them: only the tip moved.

    Each turn finds those that are not settled yet again; but who waits to be settled is not returned a second time. Not in the turn's
    transaction: there it would meet the workers that settle them.
    """
    settles = Q(status=Payment.Status.SEEN, settles_at_height__lte=tip_height)
    unsettles = Q(status=Payment.Status.SETTLED, is_final=False, settles_at_height__gt=tip_height)
    moved = Payment.objects.filter(settles | unsettles, network=network, is_present=True)
    deeper = set(moved.values_list("invoice_id", flat=True))
    waiting = set(Invoice.objects.touched().order_by("id").values_list("pk", flat=True))
    touch(deeper)
    return deeper - waiting


def _finalise(network: str, tip_height: int) -> None:
    """As deep as FINAL_DEPTH, or two deeper than needed if that is more: nobody asks again (see networks.base.final_depth)."""
    deep = Payment.objects.filter(network=network, is_final=False, is_present=True, settles_at_height__lte=tip_height - 2)
    deep.filter(height__lte=tip_height - FINAL_DEPTH + 1).update(is_final=True)


def remember_failure(cursor: Cursor, text: str, *, at: datetime) -> None:
    logger.warning("follower got no answer", extra={"network": cursor.network, "error": text})
    Cursor.objects.filter(pk=cursor.pk, holder=cursor.holder).update(failing_since=cursor.failing_since or at, last_error=text[:300])


def ask_now(invoice_id: UUID, *, at: datetime) -> int:
    """Ask the nodes about one invoice's destinations, store what they say and settle. Returns how many payments they know.

    For a person who does not want to wait for the next turn. Raises NodeUnavailable, NodeRejected, InvoiceMoved.
    """
    destinations: dict[str, list[str]] = {}
    for network, destination in Option.objects.filter(invoice=invoice_id).values_list("network", "destination"):
        destinations.setdefault(network, []).append(destination)
    told = {network: get_network(network).lookup(asked) for network, asked in destinations.items()}
    in_transaction(lambda: [store_facts(network, facts) for network, facts in told.items()])
    settle(invoice_id, at=at)
    return sum(len(facts) for facts in told.values())
