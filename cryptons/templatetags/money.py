from django import template
from django.conf import settings

from cryptons.money import UNITS, format_coin, format_fiat

register = template.Library()

SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CHF": "CHF\u00a0", "AUD": "A$", "CAD": "C$"}


@register.filter
def fiat(amount: int, currency: str = "") -> str:
    """Minor units as people read them: `$49.99`, or `49.99 SEK` for a currency without a sign of its own."""
    currency = currency or settings.CURRENCY
    number = format_fiat(abs(amount), currency)
    whole, point, rest = number.partition(".")
    text = f"{int(whole):,}{point}{rest}"
    signed = f"{SIGNS[currency]}{text}" if currency in SIGNS else f"{text}\u00a0{currency}"
    return f"\u2212{signed}" if amount < 0 else signed


@register.filter
def coin(amount: int, network: str) -> str:
    """Base units in coins, with all digits."""
    return format_coin(amount, network)


@register.filter
def coin_of(network: str) -> str:
    """`BTC` for Bitcoin's chain and for Lightning."""
    return UNITS[network].coin
