"""Check Lightning's open invoices slowly: cancel those that need no more money, and find payments that LND's stream left out.

The stream leaves out a node's first settlement and cancelled invoices, and falls silent when a node was restored from an older state. This
sweep alone would be enough; the stream is quicker.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_noop

from cryptons.coins import LIGHTNING
from cryptons.db import in_transaction, is_outage
from cryptons.failure_isolation import log_failure
from payments.alerts import isolate_and_alert
from payments.errors import NodeRejected, NodeUnavailable
from payments.models import Cursor, Invoice, Option
from payments.networks.base import CursorState
from payments.networks.lightning.lnd.lightning_pb2 import Invoice as LndInvoice
from payments.networks.lightning.network import LightningNetwork
from payments.networks.registry import networks
from payments.sync.facts import store_facts
from payments.sync.follower import LeaseLost, alert_unreadable, lease, renew
from payments.sync.replaced_node import replaced_at

LEASE = "LN round"
BATCH = 50
ENDED = (LndInvoice.SETTLED, LndInvoice.CANCELED)


def check_open_options(*, at: datetime) -> set[UUID]:
    """Check all open options. Returns the invoices that need a new verdict; none when another worker does the same.

    Raises NodeUnavailable, NodeRejected.
    """
    lnd = networks().get(LIGHTNING)
    if not isinstance(lnd, LightningNetwork):
        return set()
    touched: set[UUID] = set()
    with lease(LEASE, at=at) as ours, suppress(LeaseLost):  # the worker that took over starts from the beginning
        if ours is None:
            return set()
        for options in _open_options():
            renew(ours, at=timezone.now())
            touched |= _check_all(lnd, options, at=at)
    return touched


def close_options(invoice_id: UUID, *, at: datetime) -> set[UUID]:
    """Cancel the Lightning options of an invoice that needs no more money. Returns the invoices that need a new verdict."""
    lnd = networks().get(LIGHTNING)
    options = list(Option.objects.filter(invoice=invoice_id, network=LIGHTNING, is_closed=False).prefetch_related("invoice"))
    return _check(lnd, options, at=at) if options and isinstance(lnd, LightningNetwork) else set()


def _check_all(lnd: LightningNetwork, options: list[Option], *, at: datetime) -> set[UUID]:
    """Check the options together; if that fails, one by one, so that one that cannot be checked does not delay the payments of others.

    Raises NodeUnavailable, and NodeRejected when LND refuses all of them: then the options are not the cause.
    """
    try:
        return _check(lnd, options, at=at)
    except NodeUnavailable:
        raise
    except Exception as error:
        if is_outage(error):
            raise
        log_failure("looking after many Lightning invoices", LIGHTNING, error)
    touched: set[UUID] = set()
    failed: list[tuple[Option, Exception]] = []
    for option in options:
        try:
            touched |= _check(lnd, [option], at=at)
        except NodeUnavailable:
            raise
        except Exception as error:
            if is_outage(error):
                raise
            failed.append((option, error))
    if len(failed) == len(options) and isinstance(failed[0][1], NodeRejected):
        raise failed[0][1]
    for option, failure in failed:
        with isolate_and_alert(gettext_noop("looking after a Lightning invoice"), option.destination):
            raise failure
    return touched


def _open_options() -> Iterator[list[Option]]:
    """Yield the options that LND may still accept payments for, in batches."""
    last: UUID | None = None
    while True:
        rest = Option.objects.filter(network=LIGHTNING, is_closed=False).order_by("id")
        batch = list((rest.filter(pk__gt=last) if last else rest).prefetch_related("invoice")[:BATCH])
        if not batch:
            return
        yield batch
        last = batch[-1].pk


def _check(lnd: LightningNetwork, options: list[Option], *, at: datetime) -> set[UUID]:
    """Cancel the options that need no more money, then store the facts of all. Returns the invoices that need a new verdict.

    An option is cancelled when its quote has expired or its invoice is paid, expired or cancelled. A replaced quote stays payable until it
    expires, because the buyer may still see its QR code.
    """
    for option in options:
        if option.invoice.status != Invoice.Status.NEW or option.expires_at <= at:
            lnd.close_destination(option.destination)
    stand = lnd.look_up(option.destination for option in options)
    unread: set[str] = set()
    facts = lnd.facts_of(stand.values(), unread)
    forgotten_since = _forgotten_since(lnd)

    def has_ended(option: Option) -> bool:
        if option.destination in stand:
            return stand[option.destination].state in ENDED
        return option.created_at > forgotten_since or option.invoice.monitor_until < at

    ended = [option.pk for option in options if option.destination not in unread and has_ended(option)]

    def write() -> set[UUID]:
        Option.objects.filter(pk__in=ended).update(is_closed=True)
        for reference in unread:
            alert_unreadable(LIGHTNING, reference, at=at)
        return store_facts(LIGHTNING, facts)

    return in_transaction(write)


def _forgotten_since(lnd: LightningNetwork) -> datetime:
    """Return the time since when an invoice that LND does not know must have been deleted by LND, as it may delete cancelled ones.

    Older invoices may belong to a former node, which may still receive their payments and may come back.
    """
    cursor = Cursor.objects.filter(network=LIGHTNING).first()
    if cursor is None or not lnd.has_met(CursorState(cursor.value, cursor.node_id)):
        return datetime.max.replace(tzinfo=UTC)
    return replaced_at(LIGHTNING) or datetime.min.replace(tzinfo=UTC)
