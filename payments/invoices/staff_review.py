"""Decide from its verdict whether staff must look at an invoice. Pure: reads nothing and writes nothing."""

from dataclasses import dataclass

from payments.invoices.evaluation import Verdict


def exceptions(verdict: Verdict) -> frozenset[str]:
    """Return the flags of the verdict that staff must look at."""
    return verdict.flags & _EXCEPTIONS[verdict.status]


_WAITING = frozenset({"reorged", "double_spent"})
_UNPAID = _WAITING | {"slow"}
_CLOSED = frozenset({"late", "overpaid"})
_EXCEPTIONS = {
    "new": _UNPAID,
    "processing": _WAITING,
    "settled": frozenset({"overpaid", "double_spent"}),  # the latter only where a person said that it is paid
    "expired": _UNPAID | _CLOSED | {"underpaid"},
    "cancelled": _CLOSED,
    "invalid": _CLOSED,
}


@dataclass(frozen=True)
class Review:
    """Whether staff must look at an invoice, and whether they already know."""

    exceptions: frozenset[str]
    needs_decision: bool
    is_new_to_staff: bool


def review(verdict: Verdict, *, before: Verdict, known: frozenset[str], is_waiting: bool, resolved: frozenset[str] = frozenset()) -> Review:
    """Decide whether a verdict must be looked at by staff.

    `before` is the stored verdict, `known` its exceptions, `is_waiting` whether a decision about them is still open, and `resolved` are the
    exceptions that the acting person decides by what they do. What was dismissed comes back when the status or the money changes, or an
    exception is added; that one of them has gone is no news.
    """
    present = exceptions(verdict)
    is_news = bool(present - known) or (verdict.status, verdict.paid_seen_minor) != (before.status, before.paid_seen_minor)
    needs_decision = bool(present - resolved) and (is_news or is_waiting)
    return Review(present, needs_decision, is_new_to_staff=needs_decision and (bool(present - known) or not is_waiting))
