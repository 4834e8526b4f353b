"""Define the Celery tasks. Each is safe to repeat and does nothing when its work is done; a sweep repeats those whose message was lost."""

import random
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.utils import timezone
from django.utils.translation import gettext_noop

from cryptons.celery import enqueue
from cryptons.chunks import chunks
from cryptons.coins import CARD, LIGHTNING
from cryptons.db import on_commit, retry_when
from payments import jobs
from payments.accounting.nightly import reconcile_recent, reconcile_recent_payouts
from payments.alerts import isolate_and_alert
from payments.errors import InvoiceMoved, NodeRejected, NodeUnavailable
from payments.invoices.settlement import settle
from payments.models import Cursor, Invoice, Payout
from payments.networks.registry import offered_networks
from payments.outage_alerts import alert_of_disk
from payments.payouts.play_money import close_sandbox
from payments.payouts.sending import send
from payments.rates.current import refresh_rates
from payments.sync import webhook_hints
from payments.sync.address_gap import alert_of_gaps
from payments.sync.facts import mark_slow
from payments.sync.follower import is_wanted, poll
from payments.sync.option_sweep import check_open_options, close_options

BATCH = 50
"""Invoices of one message: few enough that workers share the load, many enough that messages do not cost more than the work."""

SWEEP = 1000
"""The most invoices of one sweep; the next sweep takes the rest."""

MOST_SEEN = 20_000
"""A sweep takes its invoices at random from so many, because a thousand that cannot be settled must not block all others."""

QUIET = timedelta(minutes=2)
"""A follower that has not answered for so long has not run, or its node is away."""


@shared_task
def follow_networks() -> None:
    """Poll every network, each in a task of its own. Run by beat."""
    for network in offered_networks():
        enqueue(follow_network, network, expires=60)


@shared_task
def follow_network(network: str) -> None:
    queue_settling(poll(network, at=timezone.now()))
    if is_wanted(network):
        enqueue(follow_network, network, expires=60)


def queue_settling(invoice_ids: set[UUID]) -> None:
    for ids in chunks([str(invoice_id) for invoice_id in sorted(invoice_ids)], BATCH):
        enqueue(settle_invoices, ids)


@shared_task
def settle_invoices(invoice_ids: list[str]) -> None:
    _settle_touched([UUID(invoice_id) for invoice_id in invoice_ids])


def _settle_touched(invoice_ids: list[UUID]) -> None:
    """Settle those invoices that no other worker has settled since."""
    for invoice_id in list(Invoice.objects.touched().filter(pk__in=invoice_ids).order_by("id").values_list("pk", flat=True)):
        settle_one(invoice_id)


def settle_one(invoice_id: UUID) -> None:
    """Settle one invoice. A lost race is retried at once, up to three times; after that, and after a failure, the sweep tries again."""
    with isolate_and_alert(gettext_noop("settling an invoice"), invoice_id), suppress(InvoiceMoved):
        retry_when(InvoiceMoved, lambda: settle(invoice_id, at=timezone.now()), failure=InvoiceMoved())


@shared_task
def look_after_lightning() -> None:
    """Check the open Lightning invoices. Run by beat. If LND does not answer, the follower reports it."""
    with suppress(NodeUnavailable, NodeRejected):
        queue_settling(check_open_options(LIGHTNING, at=timezone.now()))


@shared_task
def look_after_cards() -> None:
    """Check the open card payments. Run by beat. If Stripe does not answer, the follower reports it."""
    with suppress(NodeUnavailable, NodeRejected):
        queue_settling(check_open_options(CARD, at=timezone.now()))


@shared_task
def close_invoice_options(invoice_id: str) -> None:
    """Close the options of an invoice that needs no more money. After a failure the next sweep of its network repeats it."""
    with suppress(NodeUnavailable, NodeRejected):
        queue_settling(close_options(UUID(invoice_id), at=timezone.now()))


@shared_task
def sweep_invoices() -> None:
    """Settle the invoices whose message was lost, those that have expired, and those whose payment held rate and stock for too long.

    Those of the sandbox are closed once it is off. Networks that were not polled lately are polled first, so that an invoice that was paid
    in time is never shown as expired.
    """
    now = timezone.now()
    close_sandbox(at=now)
    for network in Cursor.objects.filter(network__in=offered_networks(), answered_at__lt=now - QUIET).values_list("network", flat=True):
        poll(network, at=now)
    mark_slow()
    touched = list(Invoice.objects.touched().order_by("id").values_list("pk", flat=True)[:MOST_SEEN])
    batches = list(chunks(touched, BATCH))
    # In a fixed order, this sweep, the next one and the messages would all settle the same invoices at the same time.
    for batch in random.sample(batches, min(len(batches), SWEEP // BATCH)):
        _settle_touched(batch)
    overdue = list(Invoice.objects.overdue(now).order_by("expires_at").values_list("pk", flat=True)[:MOST_SEEN])
    for invoice_id in overdue if len(overdue) <= SWEEP else random.sample(overdue, SWEEP):
        settle_one(invoice_id)


@shared_task
def watch_address_gaps() -> None:
    alert_of_gaps(at=timezone.now())


@shared_task
def watch_disk() -> None:
    """Run by beat, because a worker may have another disk than the web processes."""
    alert_of_disk(at=timezone.now())


@shared_task
def forget_old_webhooks() -> None:
    webhook_hints.forget_old_webhooks(at=timezone.now())


@shared_task
def refresh_stored_rates() -> None:
    refresh_rates(at=timezone.now())


@shared_task
def send_payout(payout_id: str) -> None:
    _send_one(UUID(payout_id))


def _send_one(payout_id: UUID) -> None:
    """Send one payout. A failure is retried after sending.HOLD; each try first asks the node whether the payout was sent already."""
    with isolate_and_alert(gettext_noop("sending a payout"), payout_id):
        send(payout_id, at=timezone.now())


@shared_task
def sweep_payouts() -> None:
    """Take the next step of each payout that is due, also when its message was lost."""
    now = timezone.now()
    for payout_id in list(Payout.objects.filter(next_try_at__lte=now).order_by("next_try_at").values_list("pk", flat=True)[:SWEEP]):
        _send_one(payout_id)


@shared_task
def reconcile_books() -> None:
    reconcile_recent(at=timezone.now())


@shared_task
def reconcile_payouts() -> None:
    """Reconcile recent payouts. Runs in the payouts' queue, because the other workers have no access to the payout wallets."""
    reconcile_recent_payouts(at=timezone.now())


class CeleryJobs(jobs.Jobs):
    def follow_network(self, network: str) -> None:
        enqueue(follow_network, network, expires=60)

    def close_options(self, invoice_id: UUID) -> None:
        if not {LIGHTNING, CARD}.isdisjoint(offered_networks()):
            on_commit(lambda: enqueue(close_invoice_options, str(invoice_id)))

    def send_payout(self, payout_id: UUID) -> None:
        on_commit(lambda: enqueue(send_payout, str(payout_id)))
