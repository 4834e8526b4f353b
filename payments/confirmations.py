"""Calculate how deep a payment is in its chain, and how deep it must be to be settled, final and refundable.

A payment in the chain's newest block (the tip) is one deep. Depth is derived from the tip and never counted up row by row.
"""

from decimal import Decimal

from django.conf import settings
from django.db.models import Q

from cryptons.money import Minor, minor_to_decimal
from payments.models import Cursor, Invoice, Payment

FINAL_DEPTH = 6
"""A payment this deep, or EXTRA_DEPTH deeper than its invoice needs if that is more, is final: no node is asked about it again."""
EXTRA_DEPTH = 2


def confirmations_for(price: Minor, currency: str) -> int:
    """Return how deep the payments of this price must lie, by the tiers of CONFIRMATION_TIERS: a higher price needs more."""
    amount = minor_to_decimal(price, currency)
    tiers: list[tuple[Decimal, int]] = settings.CONFIRMATION_TIERS
    return next(needed for below, needed in tiers if amount < below)


def depth(height: int | None, tip_height: int | None) -> int:
    """Return the number of confirmations. 0 in the mempool, while the tip is unknown, and for a block above the tip."""
    return 0 if height is None or tip_height is None else max(0, tip_height - height + 1)


def payment_status(payment: Payment, *, tip_height: int | None, confirmations_needed: int) -> str:
    """Return what the payment's latest facts make of it: seen, settled or gone."""
    if not payment.is_present:
        return Payment.Status.GONE.value
    if payment.is_safe or payment.is_final or depth(payment.height, tip_height) >= confirmations_needed:
        return Payment.Status.SETTLED.value
    return Payment.Status.SEEN.value


def confirmations_shown(payment: Payment, *, tip_height: int | None, confirmations_needed: int) -> int:
    """Return the confirmations to show a buyer. A payment that its network calls final has all that it needs, in a block or not."""
    if payment.height is None and payment.is_safe:
        return confirmations_needed
    return depth(payment.height, tip_height)


def settles_at_height(height: int | None, confirmations_needed: int) -> int | None:
    """Return the tip at which a payment in block `height` is deep enough for its invoice; None while it is in no block."""
    return None if height is None else height + confirmations_needed - 1


def settles_or_unsettles_at(tip_height: int) -> Q:
    """Return the filter for payments whose stored status is outdated because the tip has moved."""
    settles = Q(status=Payment.Status.SEEN, settles_at_height__lte=tip_height)
    unsettles = Q(status=Payment.Status.SETTLED, is_final=False, settles_at_height__gt=tip_height)
    return Q(settles | unsettles, is_present=True)


def final_depth(confirmations_needed: int) -> int:
    return max(FINAL_DEPTH, confirmations_needed + EXTRA_DEPTH)


def deepest_final_depth() -> int:
    """Return the depth below which no payment of any tier is still open: a node is asked about blocks down to there."""
    return max(final_depth(needed) for _, needed in settings.CONFIRMATION_TIERS)


def becomes_final_at(tip_height: int) -> Q:
    """Return the filter for payments that are `final_depth` deep under this tip and not final yet."""
    return Q(
        is_final=False,
        is_present=True,
        height__lte=tip_height - FINAL_DEPTH + 1,
        settles_at_height__lte=tip_height - EXTRA_DEPTH,
    )


def missing_confirmations(invoice: Invoice) -> int:
    """Return how many more confirmations the invoice's settled money needs before it is sent back, by its worth and not by the price.

    Otherwise somebody could pay a thousand for goods of ten, get the rest back after one block, and gain more by reversing that block
    than the reversal costs.
    """
    needed = confirmations_for(Minor(invoice.paid_safe_minor), invoice.currency)
    shallow = Payment.objects.filter(invoice=invoice, status=Payment.Status.SETTLED, is_final=False, height__isnull=False)
    heights = list(shallow.values_list("network", "height"))
    tips = dict(Cursor.objects.filter(network__in={network for network, _ in heights}).values_list("network", "tip_height"))
    return max([0, *(needed - max(1, depth(height, tips.get(network))) for network, height in heights)])
