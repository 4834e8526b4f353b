"""The stored state of an order: how it is read, and the one way in which it is written, with the event that records it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from cryptons.db import in_transaction, retry_when, update_if_unchanged
from cryptons.events.models import record
from payments.errors import InvoiceMoved
from payments.models import Invoice, Payment
from shop.errors import OrderMoved
from shop.models import Order

T = TypeVar("T")

PAID = (Invoice.Status.PROCESSING, Invoice.Status.SETTLED)
"""States of an invoice in which the order counts as paid, confirmed or not."""
CLOSED = (Invoice.Status.EXPIRED, Invoice.Status.INVALID, Invoice.Status.CANCELLED)
"""States of an invoice that takes no more money."""


def current_invoice(order: Order) -> Invoice | None:
    return Invoice.objects.filter(subject_id=order.pk).order_by("-created_at").first()


def received_payments(order: Order) -> QuerySet[Payment]:
    """Select the payments that the network has, oldest first."""
    return Payment.objects.filter(invoice__subject_id=order.pk, is_present=True).order_by("first_seen_at")


def retry_conflicts(act: Callable[[], T]) -> T:
    """Run `act` in a transaction, up to three times while other processes change the order first. Raises OrderMoved."""
    failure = OrderMoved(_("This order was changed at the same time. Please check it again."))
    return retry_when((OrderMoved, InvoiceMoved), lambda: in_transaction(act), failure=failure)


def write_order(order: Order, event: str, *, at: datetime, actor: str = "", reason: str = "", note: str = "", **values: Any) -> Order:
    """Write the values and their event, unless the order was changed since it was read. Raises OrderMoved.

    `note` is for staff only, `reason` also for the buyer where a mail tells it.
    """
    if not update_if_unchanged(order, updated_at=at, uncounted=order.version + 1, **values):
        raise OrderMoved(_("Order %(number)s was changed at the same time.") % {"number": order.number})
    words = {name: text for name, text in (("reason", reason), ("note", note)) if text}
    record(event, order.pk, seq=order.version, data=state_of(order) | words, actor=actor)
    return order


def mark_uncounted(order: Order) -> None:
    """Let the figures read the order's invoices and payouts again. For changes of these with which the order itself stays as it is."""
    Order.objects.filter(pk=order.pk).update(uncounted=F("uncounted") + 1)


def state_of(order: Order) -> dict[str, Any]:
    """Return the fields of the order that an event stores, so that a replay of the log ends at the stored order."""
    return {
        "status": str(order.status),
        "paymentStatus": str(order.payment_status),
        "onHold": order.on_hold,
        "holdReason": order.hold_reason,
        "transactionHash": order.transaction_hash,
    }
