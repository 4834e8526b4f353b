"""Thin shells: an id comes in, the row is loaded, the work is done if it is still wanted. Each is found again by a sweep."""

import random
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from cryptons.celery import enqueue
from cryptons.chunks import chunks
from cryptons.coins import LIGHTNING
from cryptons.db import on_commit, retry_when
from payments import jobs
from payments.accounting.nightly import reconcile_recent, reconcile_recent_payouts
from payments.alerts import isolate_and_alert
from payments.errors import InvoiceMoved, NodeRejected, NodeUnavailable
from payments.invoices.settlement import settle
from payments.models import Cursor, Invoice, Payout
from payments.networks.registry import offered_networks
from payments.payouts.sending import send
from payments.rates.current import refresh_rates
from payments.sync import webhook_hints
from payments.sync.follower import is_wanted, poll
from payments.sync.lightning_sweep import close_options, take_round

BATCH = 50
"""Invoices of one message: few enough that workers share the load, many enough that messages do not cost more than the work."""

SWEEP = 1000
"""Invoices of one sweep; the next one finds the rest."""

MOST_SEEN = 20_000
"""Of so many, a sweep takes some at random: a thousand that cannot be settled must not stand before all others for ever."""

QUIET = timedelta(minutes=2)
"""A follower that has not answered for so long has not run, or its node is away."""


@shared_task
def follow_networks() -> None:
    """Beat's tick: one turn for each network, side by side."""
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
    """Those that no other worker has settled meanwhile."""
    for invoice_id in list(Invoice.objects.touched().filter(pk__in=invoice_ids).order_by("id").values_list("pk", flat=True)):
        settle_one(invoice_id)


def settle_one(invoice_id: UUID) -> None:
    """A lost race is tried again at once; one that is lost three times is left to the sweep. So is what fails: it ends nobody's turn."""
    with isolate_and_alert("settling an invoice", invoice_id), suppress(InvoiceMoved):
        retry_when(InvoiceMoved, lambda: settle(invoice_id, at=timezone.now()), failure=InvoiceMoved())


@shared_task
def look_after_lightning() -> None:
    """Beat's slower tick. An LND that does not answer is the follower's to report."""
    with suppress(NodeUnavailable, NodeRejected):
        queue_settling(take_round(at=timezone.now()))


@shared_task
def close_lightning(invoice_id: str) -> None:
    """The invoice needs no money any more. What fails here, the next round does."""
    with suppress(NodeUnavailable, NodeRejected):
        queue_settling(close_options(UUID(invoice_id), at=timezone.now()))


@shared_task
def sweep_invoices() -> None:
    """Finds what messages lost: touched invoices, and those whose time is up.

    Workers that come back after a while hear the networks first, so that nobody who paid in time is told otherwise even for a moment.
    """
    now = timezone.now()
    for network in Cursor.objects.filter(network__in=offered_networks(), answered_at__lt=now - QUIET).values_list("network", flat=True):
        poll(network, at=now)
    touched = list(Invoice.objects.touched().order_by("id").values_list("pk", flat=True)[:MOST_SEEN])
    batches = list(chunks(touched, BATCH))
    # In one order, this sweep, the next and the messages would go side by side and settle the same twice.
    for batch in random.sample(batches, min(len(batches), SWEEP // BATCH)):
        _settle_touched(batch)
    overdue = list(Invoice.objects.overdue(now).order_by("expires_at").values_list("pk", flat=True)[:MOST_SEEN])
    for invoice_id in overdue if len(overdue) <= SWEEP else random.sample(overdue, SWEEP):
        settle_one(invoice_id)


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
    """What fails is tried again after sending.HOLD; before it sends anything, it asks whether that was done."""
    with isolate_and_alert("sending a payout", payout_id):
        send(payout_id, at=timezone.now())


@shared_task
def sweep_payouts() -> None:
    """Finds what messages lost, and what is to be tried or asked for again."""
    now = timezone.now()
    for payout_id in list(Payout.objects.filter(next_try_at__lte=now).order_by("next_try_at").values_list("pk", flat=True)[:SWEEP]):
        _send_one(payout_id)


@shared_task
def reconcile_books() -> None:
    reconcile_recent(at=timezone.now())


@shared_task
def reconcile_payouts() -> None:
    """In the payouts' queue: the other workers cannot ask the wallets that pay out."""
    reconcile_recent_payouts(at=timezone.now())


class CeleryJobs(jobs.Jobs):
    def follow_network(self, network: str) -> None:
        enqueue(follow_network, network, expires=60)

    def close_lightning(self, invoice_id: UUID) -> None:
        if LIGHTNING in offered_networks():
            on_commit(lambda: enqueue(close_lightning, str(invoice_id)))

    def send_payout(self, payout_id: UUID) -> None:
        on_commit(lambda: enqueue(send_payout, str(payout_id)))
