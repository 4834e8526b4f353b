"""What the merchant's Stripe keys allow: real money, or play money of Stripe's test mode."""

from django.conf import settings

from cryptons.money import minor_digits

LIVE, TEST = ("sk_live_", "rk_live_"), ("sk_test_", "rk_test_")
UNLIKE = frozenset({"MGA"})
"""Currencies of two decimals that Stripe counts in whole units."""


def takes_real_money() -> bool:
    return bool(settings.STRIPE_SECRET_KEY.startswith(LIVE))


def takes_play_money() -> bool:
    return bool(settings.STRIPE_SECRET_KEY.startswith(TEST))


def counts_currency() -> bool:
    """Return whether Stripe counts the shop's currency in cents, as the shop does."""
    return minor_digits(settings.CURRENCY) == 2 and settings.CURRENCY not in UNLIKE
