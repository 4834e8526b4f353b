"""An order's time line: its events with a title for each."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from cryptons.events.models import Event
from shop.models import Order

TITLES = {
    "order.placed": _("Order placed"),
    "order.payment_seen": _("Payment seen, not confirmed yet"),
    "order.payment_confirming": _("Payment is being confirmed"),
    "order.paid": _("Paid: we are preparing your order"),
    "order.underpaid": _("Part of the price was paid"),
    "order.payment_late": _("A payment arrived after the quote had expired"),
    "order.payment_expired": _("The time to pay expired"),
    "order.requoted": _("A new quote was made: the order can be paid again"),
    "order.payment_gone": _("The payment is no longer valid"),
    "order.held": _("The payment needs to be checked"),
    "order.hold_released": _("The check of the payment is complete"),
    "order.processing": _("We are preparing your order"),
    "order.shipped": _("Shipped"),
    "order.delivered": _("Delivered"),
    "order.cancelled": _("Cancelled"),
    "order.refunded": _("Your payment was refunded"),
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
        """What staff see next to the title: who did it, why, and the hold."""
        data = self.event.data
        parts = [self.event.actor, data.get("reason", ""), data.get("note", ""), data.get("holdReason", "") if data.get("onHold") else ""]
        return " · ".join(part for part in parts if part)


def titled_events(order: Order) -> QuerySet[Event]:
    """Select the events that have a title, oldest first."""
    return Event.objects.filter(subject_id=order.pk, type__in=TITLES).order_by("seq")


def entry_of(event: Event) -> Entry:
    return Entry(event, str(TITLES[event.type]))


def read_timeline(order: Order) -> list[Entry]:
    return [entry_of(event) for event in titled_events(order)]
