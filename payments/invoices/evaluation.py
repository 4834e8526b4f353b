"""Decide the status and flags of an invoice from what was received. Pure: reads nothing and writes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

SEEN, SETTLED, GONE = "seen", "settled", "gone"

OVERPAID_SHARE = Fraction(5, 1000)
"""Money beyond the price is worth a flag only above this share of it (and above dust)."""


@dataclass(frozen=True)
class Terms:
    """What the invoice asked for when it was opened, and what staff decided since."""

    price_minor: int
    tolerance_percent: Decimal
    tolerance_cap_minor: int
    expires_at: datetime
    override: str = ""
    """`settled`, `invalid` or `cancelled` by a decision of a person; if empty, the payments decide."""
    has_settled: bool = False
    """Whether it ever was settled: losing that is a reorg."""
    returned_minor: Fraction = Fraction(0)
    """Money in payouts that no longer pays the price."""

    def enough_minor(self, payments: "Iterable[Received]") -> Fraction:
        """Return what is enough with these payments: the price less the tolerance, and less a rest that their network cannot send."""
        cap = Fraction(self.tolerance_cap_minor)
        tolerance = min(Fraction(self.price_minor) * Fraction(self.tolerance_percent) / 100, cap)
        dust = max((payment.dust_minor for payment in payments if payment.status != GONE and payment.counts), default=Fraction(0))
        return self.price_minor - max(tolerance, min(dust, cap))


@dataclass(frozen=True)
class Received:
    """One payment, with its value in the invoice's currency at the credited rate."""

    value_minor: Fraction
    dust_minor: Fraction
    first_seen_at: datetime
    due_by: datetime
    """When the quote that it pays expired."""
    status: str
    is_accepted: bool = False
    """The payment was late or slow and was accepted."""
    is_conflicted: bool = False
    is_mined: bool = False
    """In a block, or on a network that needs none."""
    is_slow: bool = False
    """It was in no block when its hold on the rate and the stock ended."""

    @property
    def is_stuck(self) -> bool:
        """Whether the payment is slow and still in no block: it may vanish, so there is nothing to decide about it yet."""
        return self.is_slow and not self.is_mined and not self.is_accepted

    @property
    def is_late(self) -> bool:
        """Whether the payment came too late for its quote: it was seen too late, or it was slow and is in a block now."""
        return not self.is_stuck and (self.is_slow or self.first_seen_at > self.due_by)

    @property
    def counts(self) -> bool:
        """Whether the payment pays the price. A late one does not until it is accepted."""
        return self.is_accepted or not (self.is_late or self.is_stuck)


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
    safe = [payment for payment in counted if payment.status == SETTLED]
    enough = invoice.enough_minor(counted)
    is_safe = _total(safe) - invoice.returned_minor >= invoice.enough_minor(safe)
    status = _status(invoice, is_paid=paid >= enough, is_safe=is_safe, at=at)

    flags = set()
    if invoice.override in ("settled", "invalid"):
        flags.add("manual")
    if _is_overpaid(invoice, kept, seen - invoice.returned_minor):
        flags.add("overpaid")
    if status == "expired" and _is_underpaid(invoice, enough, seen):
        flags.add("underpaid")
    if _is_late(invoice, enough, kept, paid):
        flags.add("late")
    if _is_slow(invoice, enough, kept, paid):
        flags.add("slow")
    if invoice.has_settled and not invoice.override and status != "settled":
        flags.add("reorged")
    if seen < enough and any(payment.status == GONE and payment.is_conflicted for payment in received):
        flags.add("double_spent")
    is_mined = bool(kept) and all(payment.is_mined for payment in kept)
    all_safe = _total(payment for payment in kept if payment.status == SETTLED)
    return Verdict(status, frozenset(flags), paid_seen_minor=int(seen), paid_safe_minor=int(all_safe), is_mined=is_mined)


def completes(invoice: Terms, payments: Iterable[Received], late: Iterable[Received]) -> bool:
    """Return whether the price is paid if the late payments are accepted."""
    counted = [payment for payment in payments if payment.counts] + [replace(payment, is_accepted=True) for payment in late]
    return _total(payment for payment in counted if payment.status != GONE) - invoice.returned_minor >= invoice.enough_minor(counted)


def _total(payments: Iterable[Received]) -> Fraction:
    return sum((payment.value_minor for payment in payments), Fraction(0))


def _status(invoice: Terms, *, is_paid: bool, is_safe: bool, at: datetime) -> str:
    if invoice.override:
        return invoice.override
    if is_paid:
        return "settled" if is_safe else "processing"
    return "expired" if at >= invoice.expires_at else "new"


def _is_underpaid(invoice: Terms, enough: Fraction, seen: Fraction) -> bool:
    """Return whether too little was received, or too little remains after payouts; not if nothing was received."""
    stays = seen - invoice.returned_minor
    return 0 < seen < enough or (invoice.returned_minor > 0 and 0 < stays < enough)


def _is_overpaid(invoice: Terms, kept: list[Received], seen: Fraction) -> bool:
    if not kept:
        return False
    allowance = max(OVERPAID_SHARE * invoice.price_minor, *(payment.dust_minor for payment in kept))
    return seen - invoice.price_minor > allowance


def _is_late(invoice: Terms, enough: Fraction, kept: list[Received], paid: Fraction) -> bool:
    """Return whether the price is not paid, or not without late payments. For a closed invoice every payment is late."""
    if invoice.override in ("cancelled", "invalid"):
        return bool(kept)
    late = [payment for payment in kept if payment.is_late]
    if not late:
        return False
    punctual = _total(payment for payment in kept if payment.counts and not payment.is_late)
    return paid < enough or punctual < enough


def _is_slow(invoice: Terms, enough: Fraction, kept: list[Received], paid: Fraction) -> bool:
    """Return whether the price is not paid, or not without slow payments."""
    if invoice.override or not any(payment.is_slow for payment in kept):
        return False
    return paid < enough or _total(payment for payment in kept if payment.counts and not payment.is_slow) < enough
