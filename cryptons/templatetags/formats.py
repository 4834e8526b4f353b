"""`{% load formats %}`: the filters for money, numbers and times of all pages and mails."""

from collections.abc import Callable
from datetime import date, datetime

from django import template

from cryptons import formats
from cryptons.money import UNITS

register = template.Library()


@register.filter
def fiat(amount: int, currency: str = "") -> str:
    """`{{ order.total_minor|fiat:order.currency }}`: $49.99."""
    return formats.money(amount, currency)


@register.filter
def coin(amount: int, network: str) -> str:
    """`{{ payment.amount_base|coin:payment.network }}`: 0.00041234."""
    return formats.coins(amount, network)


@register.filter
def coin_of(network: str) -> str:
    """`BTC` for Bitcoin's chain and for Lightning; the shop's currency for cards."""
    return UNITS[network].symbol


@register.filter(is_safe=True)
def one_line(text: str) -> str:
    """`{% filter one_line %}`: the text with one space wherever it has line breaks and spaces."""
    return " ".join(text.split())


@register.filter
def decimal(text: object) -> str:
    """`{{ payment.amount_text|decimal }}`: a plain decimal string with the language's decimal sign."""
    return formats.plain_decimal(str(text))


@register.filter
def number(value: float | None) -> str:
    """`{{ found.total|number }}`: 1,234."""
    return "" if value is None else formats.number(value)


def _unless_missing(write: Callable[[datetime], str]) -> Callable[[datetime | None], str]:
    return lambda value: write(value) if isinstance(value, date) else ""


for _name in ("long_date", "short_date", "long_moment", "short_moment", "clock"):
    register.filter(_name, _unless_missing(getattr(formats, _name)))
