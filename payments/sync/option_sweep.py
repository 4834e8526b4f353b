"""Check slowly the open options of the networks that can close one: close those that need no more money, and find payments left out before.

LND's stream leaves out a node's first settlement and cancelled invoices, and falls silent when a node was restored from an older state;
Stripe forgets its events after 30 days. This sweep alone would be enough; the follower is quicker.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_noop

from cryptons.coins import CARD, LIGHTNING
from cryptons.db import in_transaction, is_outage
from cryptons.failure_isolation import log_failure
from payments.alerts import isolate_and_alert
from payments.errors import NodeRejected, NodeUnavailable
from payments.models import Cursor, Invoice, Option
from payments.networks.base import ClosingNetwork, CursorState
from payments.networks.registry import closing_network
from payments.sync.facts import store_facts
from payments.sync.follower import LeaseLost, alert_unreadable, lease, renew
from payments.sync.replaced_node import replaced_at

LEASES = {LIGHTNING: "LN round", CARD: "card round"}
BATCH = 50
CARD_BATCH = 10
"""Stripe is asked for each option separately, and for all of a batch in one turn."""


def check_open_options(network: str, *, at: datetime) -> set[UUID]:
    """Check all open options of the network. Returns the invoices that need a new verdict; none when another worker does the same.

    Raises NodeUnavailable, NodeRejected.
    """
    node = closing_network(network)
    if node is None:
        return set()
    touched: set[UUID] = set()
    with lease(LEASES[network], at=at) as ours, suppress(LeaseLost):  # the worker that took over starts from the beginning
        if ours is None:
            return set()
        for options in _open_options(network):
            renew(ours, at=timezone.now())
            touched |= _check_all(node, options, at=at)
    return touched


def close_options(invoice_id: UUID, *, at: datetime) -> set[UUID]:
    """Close the options of an invoice that needs no more money, where a network can. Returns the invoices that need a new verdict.

    Raises NodeUnavailable, NodeRejected.
    """
    touched: set[UUID] = set()
    for network in LEASES:
        node = closing_network(network)
        options = list(Option.objects.filter(invoice=invoice_id, network=network, is_closed=False).prefetch_related("invoice"))
        touched |= _check(node, options, at=at) if options and node is not None else set()
    return touched


def _check_all(node: ClosingNetwork, options: list[Option], *, at: datetime) -> set[UUID]:
    """Check the options together; if that fails, one by one, so that one that cannot be checked does not delay the payments of others.

    Raises NodeUnavailable, and NodeRejected when the node refuses all of them: then the options are not the cause.
    """
    try:
        return _check(node, options, at=at)
    except NodeUnavailable:
        raise
    except Exception as error:  # of one option, or a defect: it is found below, where each is checked alone
        if is_outage(error):
            raise
        log_failure("looking after many payment options", node.code, error)
    touched: set[UUID] = set()
    failed: list[tuple[Option, Exception]] = []
    for option in options:
        try:
            touched |= _check(node, [option], at=at)
        except NodeUnavailable:
            raise
        except Exception as error:  # it is logged, and staff are told, once the others are checked
            if is_outage(error):
                raise
            failed.append((option, error))
    if len(failed) == len(options) and isinstance(failed[0][1], NodeRejected):
        raise failed[0][1]
    for option, failure in failed:
        with isolate_and_alert(gettext_noop("looking after a payment option"), option.destination):
            raise failure
    return touched


def _open_options(network: str) -> Iterator[list[Option]]:
    """Yield the options that the network may still accept payments for, in batches."""
    last: UUID | None = None
    most = min(BATCH, CARD_BATCH) if network == CARD else BATCH
    while True:
        rest = Option.objects.filter(network=network, is_closed=False).order_by("id")
        batch = list((rest.filter(pk__gt=last) if last else rest).prefetch_related("invoice")[:most])
        if not batch:
            return
        yield batch
        last = batch[-1].pk


def _check(node: ClosingNetwork, options: list[Option], *, at: datetime) -> set[UUID]:
    """Close the options that need no more money, then store the facts of all. Returns the invoices that need a new verdict.

    An option is closed when its quote has expired or its invoice is paid, expired or cancelled. A replaced quote stays payable until it
    expires, because the buyer may still see it.
    """
    for option in options:
        if option.invoice.status != Invoice.Status.NEW or option.expires_at <= at:
            node.close_destination(option.destination)
    stand = node.standing([option.destination for option in options])
    forgotten_since = _forgotten_since(node)

    def has_ended(option: Option) -> bool:
        if option.destination not in stand.unknown:
            return option.destination in stand.ended
        return option.created_at > forgotten_since or option.invoice.monitor_until < at

    ended = [option.pk for option in options if option.destination not in stand.unread and has_ended(option)]

    def write() -> set[UUID]:
        Option.objects.filter(pk__in=ended).update(is_closed=True)
        for reference in stand.unread:
            alert_unreadable(node.code, reference, at=at)
        return store_facts(node.code, stand.facts)

    return in_transaction(write)


def _forgotten_since(node: ClosingNetwork) -> datetime:
    """Return the time since when a destination that the node does not know must have been deleted there, as LND may delete cancelled ones.

    Older ones may belong to a former node, which may still receive their payments and may come back.
    """
    cursor = Cursor.objects.filter(network=node.code).first()
    if cursor is None or not node.has_met(CursorState(cursor.value, cursor.node_id)):
        return datetime.max.replace(tzinfo=UTC)
    return replaced_at(node.code) or datetime.min.replace(tzinfo=UTC)
