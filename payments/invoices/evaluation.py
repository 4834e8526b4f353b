"""The one rule that decides what an invoice is, given what was received. Pure: it reads nothing and writes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

SEEN, SETTLED, GONE = "seen", "settled", "gone"

OVERPAID_SHARE = Fraction(5, 1000)
"""Money beyond the price is worth a flag only above this share of it (and above dust)."""


@dataclass(frozen=True)
class Terms:
    """What the invoice asks for, as it was when it was opened, and what a person decided since."""

    price_minor: int
    tolerance_percent: Decimal
    tolerance_cap_minor: int
    expires_at: datetime
    override: str = ""
    """`settled`, `invalid` or `cancelled` when a person decided so; else the facts decide."""
    has_settled: bool = False
    """Whether it ever was settled: losing that is a reorg."""
    returned_minor: Fraction = Fraction(0)
    """What goes back, or went, of money that it did not take: that pays nothing any more."""

    @property
    def enough_minor(self) -> Fraction:
        tolerance = min(Fraction(self.price_minor) * Fraction(self.tolerance_percent) / 100, Fraction(self.tolerance_cap_minor))
        return self.price_minor - tolerance


@dataclass(frozen=True)
class Received:
    """One payment, its amount turned into the invoice's currency at its option's locked rate."""

    value_minor: Fraction
    dust_minor: Fraction
    first_seen_at: datetime
    due_by: datetime
    """When the quote that it answers ended."""
    status: str
    is_accepted: bool = False
    """It came late and was taken all the same."""
    is_conflicted: bool = False
    is_mined: bool = False
    """In a block, or on a network that needs none."""

    @property
    def is_late(self) -> bool:
        return self.first_seen_at > self.due_by

    @property
    def counts(self) -> bool:
        """Whether it pays the price; else it waits for somebody's decision."""
        return self.is_accepted or not self.is_late


@dataclass(frozen=True)
class Verdict:
    status: str
    flags: frozenset[str] = frozenset()
    paid_seen_minor: int = 0
    """Seen and settled money, rounded down."""
    paid_safe_minor: int = 0
    """Settled money, rounded down."""
    is_mined: bool = False
    """Something was received, and all of it is in blocks."""


def evaluate(invoice: Terms, payments: Iterable[Received], at: datetime) -> Verdict:
    received = tuple(payments)
    kept = [payment for payment in received if payment.status != GONE]
    counted = [payment for payment in kept if payment.counts]
    seen, paid = _total(kept), _total(counted) - invoice.returned_minor
    safe = _total(payment for payment in counted if payment.status == SETTLED) - invoice.returned_minor
    status = _status(invoice, paid=paid, safe=safe, at=at)

    flags = set()
    if invoice.override in ("settled", "invalid"):
        flags.add("manual")
    if _is_overpaid(invoice, kept, seen - invoice.returned_minor):
        flags.add("overpaid")
    if status == "expired" and _is_underpaid(invoice, seen):
        flags.add("underpaid")
    if _is_late(invoice, kept, paid):
        flags.add("late")
    if invoice.has_settled and not invoice.override and status != "settled":
        flags.add("reorged")
    if seen < invoice.enough_minor and any(payment.status == GONE and payment.is_conflicted for payment in received):
        flags.add("double_spent")
    is_mined = bool(kept) and all(payment.is_mined for payment in kept)
    all_safe = _total(payment for payment in kept if payment.status == SETTLED)
    return Verdict(status, frozenset(flags), paid_seen_minor=int(seen), paid_safe_minor=int(all_safe), is_mined=is_mined)


def exceptions(verdict: Verdict) -> frozenset[str]:
    """Those of its flags that a person should look at."""
    return verdict.flags & _EXCEPTIONS[verdict.status]


_WAITING = frozenset({"reorged", "double_spent"})
_CLOSED = frozenset({"late", "overpaid"})
_EXCEPTIONS = {
    "new": _WAITING,
    "processing": _WAITING,
    "settled": frozenset({"overpaid", "double_spent"}),  # the latter only where a person said that it is paid
    "expired": _WAITING | _CLOSED | {"underpaid"},
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
    exceptions that the acting person decides by what they do. What was dismissed comes back when status, exceptions or money change.
    """
    found = exceptions(verdict)
    is_news = (found, verdict.status, verdict.paid_seen_minor) != (known, before.status, before.paid_seen_minor)
    needs_decision = bool(found - resolved) and (is_news or is_waiting)
    return Review(found, needs_decision, is_new_to_staff=needs_decision and (found != known or not is_waiting))


def completes(invoice: Terms, payments: Iterable[Received], late: Iterable[Received]) -> bool:
    """Whether there is enough if the late money is taken."""
    paid = _total(payment for payment in payments if payment.status != GONE and payment.counts) - invoice.returned_minor
    return paid + _total(payment for payment in late if payment.status != GONE) >= invoice.enough_minor


def _total(payments: Iterable[Received]) -> Fraction:
    return sum((payment.value_minor for payment in payments), Fraction(0))


def _status(invoice: Terms, *, paid: Fraction, safe: Fraction, at: datetime) -> str:
    if invoice.override:
        return invoice.override
    if paid >= invoice.enough_minor:
        return "settled" if safe >= invoice.enough_minor else "processing"
    return "expired" if at >= invoice.expires_at else "new"


def _is_underpaid(invoice: Terms, seen: Fraction) -> bool:
    """Some is there, and it is too little: all of it, or what stays when a part goes back."""
    stays = seen - invoice.returned_minor
    return 0 < seen < invoice.enough_minor or (invoice.returned_minor > 0 and 0 < stays < invoice.enough_minor)


def _is_overpaid(invoice: Terms, kept: list[Received], seen: Fraction) -> bool:
    if not kept:
        return False
    allowance = max(OVERPAID_SHARE * invoice.price_minor, *(payment.dust_minor for payment in kept))
    return seen - invoice.price_minor > allowance


def _is_late(invoice: Terms, kept: list[Received], paid: Fraction) -> bool:
    """Whether money came that the invoice no longer waited for, or was paid by such money that was taken all the same."""
    if invoice.override in ("cancelled", "invalid"):
        return bool(kept)
    late = [payment for payment in kept if payment.is_late]
    if not late:
        return False
    return paid < invoice.enough_minor or _total(payment for payment in kept if not payment.is_late) < invoice.enough_minor
