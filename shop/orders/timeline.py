"""An order's events in words."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from cryptons.events.models import Event
from shop.models import Order

WORDS = {
    "order.placed": "Order placed",
    "order.payment_seen": "Payment seen, not confirmed yet",
    "order.payment_confirming": "Payment is being confirmed",
    "order.paid": "Paid: we are preparing your order",
    "order.underpaid": "A part of the price was paid",
    "order.payment_late": "A payment came after the time had run out",
    "order.payment_expired": "The time to pay ran out",
    "order.requoted": "A fresh quote was made: the order can be paid again",
    "order.payment_gone": "The payment was taken back",
    "order.held": "The payment needs another look",
    "order.hold_released": "The order goes on",
    "order.processing": "We are preparing your order",
    "order.shipped": "Shipped",
    "order.delivered": "Delivered",
    "order.cancelled": "Cancelled",
    "order.refunded": "Your money was sent back",
}


@dataclass(frozen=True)
class Entry:
    event: Event
    title: str

    @property
    def at(self) -> datetime:
        return self.event.created_at

    @property
    def staff_detail(self) -> str:
        """What staff see beside it: who, why, and the hold."""
        data = self.event.data
        parts = [self.event.actor, data.get("reason", ""), data.get("holdReason", "") if data.get("onHold") else ""]
        return " · ".join(part for part in parts if part)


def told_events(order: Order) -> QuerySet[Event]:
    """Oldest first; what only matters inside the shop is left out."""
    return Event.objects.filter(subject_id=order.pk, type__in=WORDS).order_by("seq")


def entry_of(event: Event) -> Entry:
    return Entry(event, WORDS[event.type])


def read_timeline(order: Order) -> list[Entry]:
    return [entry_of(event) for event in told_events(order)]
