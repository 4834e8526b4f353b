"""What an invoice is, told by its events alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptons.events.models import Event


@dataclass
class Replayed:
    status: str = "new"
    flags: frozenset[str] = frozenset()
    paid_seen_minor: int = 0
    paid_safe_minor: int = 0
    to_decide: frozenset[str] = frozenset()
    """The exceptions that wait for somebody's decision."""
    override: str = ""
    statuses: dict[str, str] = field(default_factory=dict)
    """By reference. A payment that no event names is what it was when it was booked: seen."""
    accepted: set[str] = field(default_factory=set)
    """Late money that was taken."""


def replay(events: Iterable[Event]) -> Replayed:
    """`events` of one invoice, by `seq`. Each must say in its type whether it changed the status."""
    told = Replayed()
    for event in events:
        if event.seq == 1:
            assert event.type == "invoice.new"
            continue
        data = event.data
        if event.type in ("invoice.dismissed", "invoice.reopened"):
            told.to_decide = frozenset(data["exceptions"] if event.type == "invoice.reopened" else ())
            continue
        assert event.type == ("invoice.updated" if data["status"] == told.status else f"invoice.{data['status']}")
        told.status, told.flags = data["status"], frozenset(data["flags"])
        told.paid_seen_minor, told.paid_safe_minor = data["paidSeenMinor"], data["paidSafeMinor"]
        told.to_decide = frozenset(data["exceptions"])
        told.override = data.get("override", told.override)
        told.statuses |= {payment["reference"]: payment["status"] for payment in data["payments"]}
        told.accepted -= set(data.get("waitingLate", ()))
        told.accepted |= set(data.get("acceptedLate", ()))
    return told
