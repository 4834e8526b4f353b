"""Poll a network: ask the node once, write facts and cursor together, and return the invoices that need a new verdict."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import IntegrityError, NotSupportedError, ProgrammingError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from cryptons.db import in_transaction, is_outage
from cryptons.failure_isolation import log_failure
from cryptons.money import Base
from payments.alerts import alert, mail_failing
from payments.confirmations import becomes_final_at, settles_or_unsettles_at
from payments.errors import AnotherChain, NodeRejected, NodeUnavailable, PaymentError
from payments.invoices.settlement import settle
from payments.models import Cursor, Invoice, Option, Payment, Payout
from payments.networks.base import Fact, FactPage, KnownPayment, Network
from payments.networks.cursors import has_waiting, state_of, stored_wallets, wallets_in_use_before
from payments.networks.registry import get_network
from payments.sync.facts import mark_dirty, store_facts
from payments.sync.node_clock import note_clock
from payments.sync.replaced_node import another_chain_accepted, tell_staff, tell_staff_of_wallet
from payments.sync.unmatched import note_unmatched

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
LOOK_AGAIN = timedelta(days=1)
"""How long the node is asked why a payment has gone."""


class LeaseLost(PaymentError):
    """The poll took too long, and another follower continues from the old cursor. Nothing of this poll is written."""


NOT_THE_FACTS_FAULT = (ProgrammingError, NotSupportedError)
"""The database is not as this program expects (a migration is missing): no fact could be stored, and none must be skipped."""


def poll(network: str, *, at: datetime) -> set[UUID]:
    """Poll the node once. Returns the invoices that need a new verdict; none when another follower holds the lease or the node is away.

    Raises only errors of the database, and NetworkNotOffered: an internal error is recorded in the cursor as a node's error is.
    """
    with lease(network, at=at) as cursor:
        if cursor is None:
            return set()
        node = get_network(network)
        try:
            return _poll_once(node, cursor, at=at)
        except (NodeUnavailable, NodeRejected) as error:
            remember_failure(cursor, str(error), at=at)
        except LeaseLost as error:
            logger.warning("a poll took too long", extra={"network": network, "error": str(error)})
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("a poll failed", extra={"network": network})
            remember_failure(cursor, _("Internal error (%(error)s), see the log.") % {"error": type(error).__name__}, at=at)
        return set()


def _poll_once(node: Network, cursor: Cursor, *, at: datetime) -> set[UUID]:
    page = _ask(node, cursor, at=at)
    try:
        touched = in_transaction(lambda: _write(cursor, page, at=at))
    except (LeaseLost, *NOT_THE_FACTS_FAULT):
        raise
    except Exception as error:
        if is_outage(error):
            raise
        log_failure("storing the facts of a poll", cursor.network, error)
        touched = _write_one_at_a_time(cursor, page, at=at)
    return touched | (_mark_deeper(cursor.network, page.tip_height) if page.tip_height is not None else set())


def _ask(node: Network, cursor: Cursor, *, at: datetime) -> FactPage:
    """Ask the node. If it follows another chain, it is read from its beginning, but only if nothing waits or staff agree.

    Raises NodeUnavailable, NodeRejected.
    """
    state, unsettled = state_of(cursor), _unsettled(cursor.network, at=at)
    try:
        return node.facts_since(state, unsettled)
    except AnotherChain as error:
        if has_waiting(cursor.network) and not another_chain_accepted(cursor, str(error), at=at):
            raise
    page = node.facts_since(replace(state, value=""), {})
    there = {fact.reference for fact in page.facts}
    gone = [
        Fact(reference, known.destination, Base(0), known.first_seen_at, is_present=False)
        for reference, known in unsettled.items()
        if reference not in there
    ]
    return replace(page, facts=(*page.facts, *gone))


def _write_one_at_a_time(cursor: Cursor, page: FactPage, *, at: datetime) -> set[UUID]:
    """Store each fact alone, because all together failed. The cursor passes a fact that fails only after staff were alerted."""
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
            in_transaction(lambda fact=fact: alert_unreadable(cursor.network, fact.reference, at=at))  # type: ignore[misc]
    return touched | in_transaction(lambda: _write(cursor, replace(page, facts=()), at=at))


def _unsettled(network: str, *, at: datetime) -> dict[str, KnownPayment]:
    """Return the payments to ask for: those that are not final, and those that went lately, whose double spend may become known later."""
    there = Payment.objects.filter(network=network, is_final=False, is_present=True, is_safe=False)
    gone = Payment.objects.filter(
        network=network, status=Payment.Status.GONE, is_conflicted=False, is_final=False, updated_at__gte=at - LOOK_AGAIN
    )
    fields = ("reference", "option__destination", "block_hash", "first_seen_at")
    return {name: KnownPayment(*known) for name, *known in [*there.values_list(*fields), *gone.values_list(*fields)]}


def renew(cursor: Cursor, *, at: datetime) -> None:
    """Extend the lease. Raises LeaseLost when it has expired and another follower holds it."""
    if not Cursor.objects.filter(pk=cursor.pk, holder=cursor.holder).update(until=at + LEASE):
        raise LeaseLost(f"Another follower of {cursor.network} took over.")


@contextmanager
def lease(network: str, *, at: datetime) -> Iterator[Cursor | None]:
    """Lend the network's cursor to this process alone, until the block ends or LEASE has passed; None while another process holds it."""
    holder = uuid4()
    if not _take(network, holder, at=at):
        Cursor.objects.get_or_create(network=network)
        in_transaction(lambda: Cursor.objects.filter(network=network).update(is_wanted=True))
        if not _take(network, holder, at=at):  # unless the other poll has just ended, or there was none
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
    """Tell, after a poll, whether another one was requested during it and has not started since."""
    return Cursor.objects.filter(network=network, is_wanted=True, holder=None).exists()


def _write(cursor: Cursor, page: FactPage, *, at: datetime) -> set[UUID]:
    network = cursor.network
    advanced = Cursor.objects.filter(network=network, holder=cursor.holder).update(
        value=page.cursor.value,
        node_id=page.cursor.node_id,
        wallets=stored_wallets(page.cursor),
        tip_height=page.tip_height,
        answered_at=at,
        failing_since=None,
        last_error="",
    )
    if not advanced:
        raise LeaseLost(f"Another follower of {network} took over.")
    tell_staff(cursor, page.cursor, at=at)
    tell_staff_of_wallet(cursor, page.cursor, at=at)
    touched = _store(network, page.facts, at=at)
    note_clock(cursor, page.facts, at=at)
    for reference in page.unread:
        alert_unreadable(network, reference, at=at)
    for key, sentence in page.notices.items():
        alert(key, sentence, at=at)
    if page.returned:
        Payout.objects.filter(network=network, reference__in=page.returned, status=Payout.Status.SENT).update(next_try_at=at)
    if page.tip_height is not None:
        Payment.objects.filter(becomes_final_at(page.tip_height), network=network).update(is_final=True)
    return touched


def _store(network: str, facts: Sequence[Fact], *, at: datetime) -> set[UUID]:
    touched = store_facts(network, facts)
    note_unmatched(network, facts, at=at)
    return touched


def alert_unreadable(network: str, reference: str, *, at: datetime) -> None:
    """Tell staff of a payment that cannot be read, in the transaction that moves the cursor past it."""
    alert(
        f"unread {network} {reference}"[:160],
        _(
            "The %(network)s node reports a payment that the shop cannot read or store; the log says why. It was skipped, so that other "
            "payments are detected. Check it: %(reference)s. If it pays an invoice and “Ask the node now” does not find it there, accept "
            "that invoice as paid."
        )
        % {"network": network, "reference": reference},
        at=at,
    )


def _mark_deeper(network: str, tip_height: int) -> set[UUID]:
    """Mark and return invoices whose payments became deep enough, or no longer are, because the tip alone has moved.

    Invoices that already wait for a verdict are not returned again. Runs outside the poll's transaction, where it would conflict with the
    workers that settle these invoices.
    """
    moved = Payment.objects.filter(settles_or_unsettles_at(tip_height), network=network)
    deeper = set(moved.values_list("invoice_id", flat=True))
    if not deeper:
        return set()
    waiting = set(Invoice.objects.touched().order_by("id").values_list("pk", flat=True))
    mark_dirty(deeper)
    return deeper - waiting


def remember_failure(cursor: Cursor, text: str, *, at: datetime) -> None:
    logger.warning("follower got no answer", extra={"network": cursor.network, "error": text})
    since = cursor.failing_since or at
    Cursor.objects.filter(pk=cursor.pk, holder=cursor.holder).update(failing_since=since, last_error=text[:300])
    in_transaction(lambda: mail_failing(cursor.network, since=since, error=text[:300], at=at))


def _store_beside_follower(network: str, facts: Sequence[Fact]) -> None:
    """Store facts; once more when the follower stores the same payment at the same moment: then it is already there."""
    try:
        in_transaction(lambda: store_facts(network, facts))
    except IntegrityError:
        in_transaction(lambda: store_facts(network, facts))


def refresh_invoice(invoice_id: UUID, *, at: datetime) -> int:
    """Ask the nodes about the destinations of one invoice, store the answers and settle. Returns how many payments the nodes know.

    For somebody who does not want to wait for the next poll. Raises NodeUnavailable, NodeRejected, InvoiceMoved.
    """
    destinations: dict[str, list[str]] = {}
    for network, destination in Option.objects.filter(invoice=invoice_id).values_list("network", "destination"):
        destinations.setdefault(network, []).append(destination)
    answers = {network: get_network(network).lookup(asked, wallets_in_use_before(network)) for network, asked in destinations.items()}
    for network, facts in answers.items():
        _store_beside_follower(network, facts)
    settle(invoice_id, at=at)
    return sum(len(facts) for facts in answers.values())
