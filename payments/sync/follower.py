"""One turn of a network's follower: ask the node once, write facts and cursor together, then let the touched invoices settle."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import IntegrityError, NotSupportedError, ProgrammingError
from django.db.models import Q
from django.utils import timezone

from cryptons.db import in_transaction, is_outage
from cryptons.failure_isolation import log_failure
from payments.alerts import alert, mail_failing
from payments.confirmations import becomes_final_at, settles_or_unsettles_at
from payments.errors import NodeRejected, NodeUnavailable, PaymentError
from payments.invoices.settlement import settle
from payments.models import Cursor, Invoice, Option, Payment
from payments.networks.base import CursorState, Fact, FactPage, Network
from payments.networks.registry import get_network
from payments.sync.facts import mark_dirty, store_facts
from payments.sync.replaced_node import tell_staff
from payments.sync.unmatched import note_unclaimed

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
LOOK_AGAIN = timedelta(days=1)
"""For so long it is asked why a payment has gone."""


class LeaseLost(PaymentError):
    """The turn took too long, and another follower reads on from the old cursor. Nothing of this turn is written."""


NOT_THE_FACTS_FAULT = (ProgrammingError, NotSupportedError)
"""The database is not as this program expects it (a migration is missing): no fact could be stored, and none must be passed over."""


def follow(network: str, *, at: datetime) -> set[UUID]:
    """Take one turn. Returns the invoices that need a new verdict; none when another follower holds the lease or the node is away.

    Raises only what the database says, and NetworkNotOffered: an error of our own is remembered as the node's trouble is.
    """
    with lease(network, at=at) as cursor:
        if cursor is None:
            return set()
        node = get_network(network)
        try:
            return _turn(node, cursor, at=at)
        except (NodeUnavailable, NodeRejected) as error:
            remember_failure(cursor, str(error), at=at)
        except LeaseLost as error:
            logger.warning("a turn took too long", extra={"network": network, "error": str(error)})
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("a follower's turn failed", extra={"network": network})
            remember_failure(cursor, f"The shop met an error of its own ({type(error).__name__}). Its log says more.", at=at)
        return set()


def _turn(node: Network, cursor: Cursor, *, at: datetime) -> set[UUID]:
    page = node.facts_since(CursorState(cursor.value, cursor.node_id), _unsettled(cursor.network, at=at))
    try:
        touched = in_transaction(lambda: _write(cursor, page, at=at))
    except (LeaseLost, *NOT_THE_FACTS_FAULT):
        raise
    except Exception as error:
        if is_outage(error):
            raise
        log_failure("storing the facts of a turn", cursor.network, error)
        touched = _write_one_by_one(cursor, page, at=at)
    return touched | (_touch_deeper(cursor.network, page.tip_height) if page.tip_height is not None else set())


def _write_one_by_one(cursor: Cursor, page: FactPage, *, at: datetime) -> set[UUID]:
    """Where all together could not be stored. The cursor goes over a fact that cannot only once staff have been told of it by name."""
    touched: set[UUID] = set()
    for fact in page.facts:
        renew(cursor, at=timezone.now())
        try:
            touched |= in_transaction(lambda fact=fact: _store(cursor.network, [fact], at=at))  # type: ignore[misc]
        except NOT_THE_FACTS_FAULT:
            raise
        except Exception as error:
            if is_outage(error):
                raise
            log_failure("storing a fact", fact.reference, error)
            in_transaction(lambda fact=fact: tell_of_unread(cursor.network, fact.reference, at=at))  # type: ignore[misc]
    return touched | in_transaction(lambda: _write(cursor, replace(page, facts=()), at=at))


def _unsettled(network: str, *, at: datetime) -> list[str]:
    """What is booked and not final; and what went not long ago: a node may say only later that other money was spent in its place."""
    there = Payment.objects.filter(network=network, is_final=False, is_present=True)
    gone = Payment.objects.filter(network=network, status=Payment.Status.GONE, is_conflicted=False, updated_at__gte=at - LOOK_AGAIN)
    return [*there.values_list("reference", flat=True), *gone.values_list("reference", flat=True)]


def renew(cursor: Cursor, *, at: datetime) -> None:
    """The lease runs anew from now on. Raises LeaseLost when it ran out and another has taken it."""
    if not Cursor.objects.filter(pk=cursor.pk, holder=cursor.holder).update(until=at + LEASE):
        raise LeaseLost(f"Another took over {cursor.network}.")


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
    touched = _store(network, page.facts, at=at)
    for reference in page.unread:
        tell_of_unread(network, reference, at=at)
    if page.tip_height is not None:
        Payment.objects.filter(becomes_final_at(page.tip_height), network=network).update(is_final=True)
    return touched


def _store(network: str, facts: Sequence[Fact], *, at: datetime) -> set[UUID]:
    touched = store_facts(network, facts)
    note_unclaimed(network, facts, at=at)
    return touched


def tell_of_unread(network: str, reference: str, *, at: datetime) -> None:
    """In the transaction that goes over it."""
    alert(
        f"unread {network} {reference}"[:160],
        (
            f"The {network} node tells of a payment that the shop cannot understand or store; its log says why. It went on without it, "
            f"so that the others are seen. Look at it by hand: {reference}. If it pays an invoice and 'check now' there does not find it, "
            "accept that invoice by hand."
        ),
        at=at,
    )


def _touch_deeper(network: str, tip_height: int) -> set[UUID]:
    """Invoices whose payments became deep enough, or are no longer, although nothing was said of them: only the tip moved.

    Each turn finds those that are not settled yet again; but who waits to be settled is not returned a second time. Not in the turn's
    transaction: there it would meet the workers that settle them.
    """
    moved = Payment.objects.filter(settles_or_unsettles_at(tip_height), network=network)
    deeper = set(moved.values_list("invoice_id", flat=True))
    waiting = set(Invoice.objects.touched().order_by("id").values_list("pk", flat=True))
    mark_dirty(deeper)
    return deeper - waiting


def remember_failure(cursor: Cursor, text: str, *, at: datetime) -> None:
    logger.warning("follower got no answer", extra={"network": cursor.network, "error": text})
    since = cursor.failing_since or at
    Cursor.objects.filter(pk=cursor.pk, holder=cursor.holder).update(failing_since=since, last_error=text[:300])
    in_transaction(lambda: mail_failing(cursor.network, since=since, error=text[:300], at=at))


def _store_beside_follower(network: str, facts: Sequence[Fact]) -> None:
    """Who books a payment at the very moment when the follower does looks again, and finds it booked."""
    try:
        in_transaction(lambda: store_facts(network, facts))
    except IntegrityError:
        in_transaction(lambda: store_facts(network, facts))


def ask_now(invoice_id: UUID, *, at: datetime) -> int:
    """Ask the nodes about one invoice's destinations, store what they say and settle. Returns how many payments they know.

    For a person who does not want to wait for the next turn. Raises NodeUnavailable, NodeRejected, InvoiceMoved.
    """
    destinations: dict[str, list[str]] = {}
    for network, destination in Option.objects.filter(invoice=invoice_id).values_list("network", "destination"):
        destinations.setdefault(network, []).append(destination)
    told = {network: get_network(network).lookup(asked) for network, asked in destinations.items()}
    for network, facts in told.items():
        _store_beside_follower(network, facts)
    settle(invoice_id, at=at)
    return sum(len(facts) for facts in told.values())
