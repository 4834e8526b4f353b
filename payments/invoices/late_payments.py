"""Decide whether a payment after its quote expired is still accepted at that quote: it was soon, and the rate has hardly changed."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from payments.errors import RateUnavailable
from payments.models import Payment
from payments.rates.current import rate_for


def may_accept(payment: Payment, *, at: datetime) -> bool:
    """Return whether the payment came soon enough and its rate has held. Without a fresh rate nothing is accepted.

    A slow payment that had been accepted before came soon enough. Whether the goods can still be delivered is a question for
    Subject.reserve_again.
    """
    is_too_late = payment.first_seen_at - payment.option.expires_at > timedelta(minutes=settings.LATE_GRACE_MINUTES)
    if is_too_late and payment.late != Payment.Late.ACCEPTED:
        return False
    try:
        rate = rate_for(payment.network, at=at, currency=payment.invoice.currency)
        return has_kept_its_worth(payment.credited_minor_per_coin, rate.minor_per_coin)
    except RateUnavailable:
        return False


def has_kept_its_worth(locked: Decimal, now: Decimal) -> bool:
    """Return whether the coin lost no more value than is allowed. If it gained, the payment is accepted. Pure."""
    return now >= locked * (100 - settings.LATE_RATE_PERCENT) / 100
