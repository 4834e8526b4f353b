"""Thin shells: an id comes in, the row is loaded, the work is done if it is still wanted. Each is found again by a sweep."""

from datetime import datetime, timedelta
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from payments.errors import InvoiceMoved
from payments.following import follow
from payments.models import Cursor, Invoice
from payments.networks import offered_networks
from payments.rates import refresh_rates
from payments.settlement import settle

BATCH = 50
"""Invoices of one message: few enough that workers share the load, many enough that messages do not cost more than the work."""

QUIET = timedelta(minutes=2)
"""A follower that has not answered for so long, and not failed either, has not run at all."""


@shared_task
def follow_networks() -> None:
    """Beat's tick: one turn for each network, side by side."""
    for network in offered_networks():
        follow_network.apply_async((network,), expires=60)


@shared_task
def follow_network(network: str) -> None:
    touched = follow(network, at=timezone.now())
    queue_settling(touched)


def queue_settling(invoice_ids: set[UUID]) -> None:
    ids = [str(invoice_id) for invoice_id in sorted(invoice_ids)]
    for start in range(0, len(ids), BATCH):
        settle_invoices.delay(ids[start : start + BATCH])


@shared_task
def settle_invoices(invoice_ids: list[str]) -> None:
    for invoice_id in invoice_ids:
        settle_one(UUID(invoice_id))


def settle_one(invoice_id: UUID) -> None:
    """A lost race is tried again at once; one that is lost three times is left to the sweep."""
    for _ in range(3):
        try:
            settle(invoice_id, at=timezone.now())
        except InvoiceMoved:
            continue
        return


@shared_task
def sweep_invoices() -> None:
    """Finds what messages lost: touched invoices, and those whose time is up.

    While a network's follower has not run at all, its invoices wait: workers that come back first learn what was paid in time.
    """
    now = timezone.now()
    for invoice_id in list(Invoice.objects.touched().order_by("id").values_list("pk", flat=True)[: BATCH * 20]):
        settle_one(invoice_id)
    unheard = _unheard_networks(now)
    overdue = Invoice.objects.overdue(now).exclude(options__network__in=unheard) if unheard else Invoice.objects.overdue(now)
    for invoice_id in list(overdue.order_by("expires_at").values_list("pk", flat=True)[: BATCH * 20]):
        settle_one(invoice_id)


def _unheard_networks(now: datetime) -> list[str]:
    """Networks whose follower has answered before, but not for a while, and does not say that the node is away: workers just came back."""
    return list(Cursor.objects.filter(answered_at__lt=now - QUIET, failing_since__isnull=True).values_list("network", flat=True))


@shared_task
def refresh_stored_rates() -> None:
    refresh_rates(at=timezone.now())
