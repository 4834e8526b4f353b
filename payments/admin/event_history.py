"""The events of an invoice or a payout as staff read them: a title for each type, and the data in words."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from cryptons.events.models import Event
from cryptons.formats import money, plain_decimal, short_moment
from payments.admin.base import FLAGS
from payments.models import Invoice, Payment

TITLES: dict[str, str | Promise] = {
    "invoice.new": _("Invoice opened"),
    "invoice.processing": _("Payment is being confirmed"),
    "invoice.settled": _("Invoice settled"),
    "invoice.expired": _("Invoice expired"),
    "invoice.invalid": _("Invoice invalid"),
    "invoice.cancelled": _("Invoice cancelled"),
    "invoice.updated": _("Payments or flags changed"),
    "invoice.dismissed": _("Dismissed without a decision"),
    "invoice.reopened": _("Waits for a decision again"),
    "invoice.sent_back": _("Refund drafted"),
    "payout.draft": _("Payout drafted"),
    "payout.destination": _("Destination set"),
    "payout.agreed": _("Approved by the first of two people"),
    "payout.approved": _("Payout approved"),
    "payout.sending": _("Payout is being sent"),
    "payout.sent": _("Payout sent"),
    "payout.failed": _("Payout failed"),
    "payout.unknown": _("Not known whether the payout was sent"),
    "payout.withdrawn": _("Payout withdrawn"),
    "payout.stopped": _("Payout stopped: its money is gone"),
    "payout.covered": _("The money of the payout is there again"),
    "payout.fee_too_high": _("Payout waits: the network fee is too high"),
    "payout.fee_allowed": _("A higher network fee was allowed"),
    "payout.try_again": _("Another try was requested"),
    "payout.updated": _("Payout changed"),
}
NAMES: dict[str, str | Promise] = {
    "status": _("status"),
    "flags": _("flags"),
    "network": _("network"),
    "paidSeenMinor": _("received"),
    "paidSafeMinor": _("confirmed"),
    "exceptions": _("exceptions"),
    "payments": _("payments"),
    "quotes": _("quotes"),
    "acceptedLate": _("accepted late"),
    "override": _("decision"),
    "reason": _("reason"),
}
"""The keys of an invoice's events."""
_STATUSES: dict[str, str | Promise] = {status.value: status.label for status in (*Payment.Status, *Invoice.Status)}
_VALUES = {"status": _STATUSES, "override": _STATUSES, "flags": FLAGS, "exceptions": FLAGS}


def event_list(subject_id: UUID, detail: Callable[[Event], str]) -> SafeString:
    """List the subject's events, oldest first, with what `detail` says about each."""
    rows = (
        (short_moment(event.created_at), TITLES.get(event.type, event.type), event.actor, detail(event))
        for event in Event.objects.filter(subject_id=subject_id).order_by("seq")
    )
    return format_html("<ul>{}</ul>", format_html_join("", "<li>{} <strong>{}</strong> {}<br>{}</li>", rows))


def plain_words(data: Mapping[str, Any], currency: str) -> str:
    """Write an event's data without what is empty: `received $41.99; flags overpaid`. Amounts are in `currency`."""
    return "; ".join(
        f"{NAMES.get(name, name)} {money(value, currency) if name.endswith('Minor') else _plain(name, value)}"
        for name, value in data.items()
        if value not in ("", [], {}, None)
    )


def _plain(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_plain(key, inner) for key, inner in value.items() if inner not in ("", None))
    if isinstance(value, list):
        return ", ".join(_plain(name, inner) for inner in value)
    return plain_decimal(value) if name == "amount" else str(_VALUES.get(name, {}).get(value, value))
