"""Money, numbers and times as people of the active language write them; templates use the same by `{% load formats %}`.

For programs (the API, CSV, payment URIs) `cryptons.money` writes plain decimal strings.
"""

from collections.abc import Sequence
from copy import copy
from datetime import date, datetime
from functools import cache, lru_cache

from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import format_decimal
from django.conf import settings
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from cryptons.coins import CARD
from cryptons.money import format_coin, minor_digits, minor_to_decimal

_MINUS = "\u2212"


def _language() -> Locale:
    return _locale(get_language() or settings.LANGUAGE_CODE)


@cache
def _locale(code: str) -> Locale:
    return Locale.parse(code, sep="-")


def _international() -> Locale:
    """Return the language; for English, which is read everywhere, the one with `26 November 2026`, 24 hours and `a, b and c`."""
    language = _language()
    return _locale("en-GB") if language.language == "en" else language


def money(amount: int, currency: str = "") -> str:
    """Write minor units with their currency: `$49.99`, or `49.99 SEK` for a currency without a sign."""
    return _money(amount, currency or settings.CURRENCY, _language())


@lru_cache(maxsize=10_000)
def _money(amount: int, currency: str, language: Locale) -> str:
    """Format the amount. A page has few different prices, and Babel needs a tenth of a millisecond for one."""
    has_sign = language.currency_symbols.get(currency, currency) != currency
    pattern = copy((language if has_sign else Locale("de")).currency_formats["standard"])
    pattern.frac_prec = (minor_digits(currency),) * 2
    text = pattern.apply(minor_to_decimal(abs(amount), currency), language, currency=currency, currency_digits=False)
    return f"{_MINUS}{text}" if amount < 0 else text


def coins(amount: int, network: str) -> str:
    """Write base units in coins, with all digits."""
    return plain_decimal(format_coin(amount, network))


def network_amount(amount: int, network: str) -> str:
    """Write base units with the network they went over: `0.5 BTC-LN`, `12.00 EUR by card`."""
    words = {"amount": coins(amount, network), "currency": settings.CURRENCY}
    return _("%(amount)s %(currency)s by card") % words if network == CARD else f"{words['amount']} {network}"


def plain_decimal(text: str) -> str:
    """Write a plain decimal string such as `0.00041234` with the language's decimal sign, and change nothing else."""
    return text.replace(".", _language().number_symbols["latn"]["decimal"])


def number(value: float) -> str:
    """Write a number with the language's separators: `1,234`."""
    return format_decimal(value, locale=_language())


def text_list(words: Sequence[str]) -> str:
    """Join words as a sentence does: `BTC, LTC and XRP`."""
    return format_list(words, locale=_international())


def long_date(value: date) -> str:
    """Write a day: `26 November 2026`."""
    return format_date(_local(value), "long", locale=_international())


def short_date(value: date) -> str:
    """Write a day where there is little room: `26 Nov 2026`."""
    return format_date(_local(value), "medium", locale=_international())


def clock(value: datetime) -> str:
    """Write a time of day in the shop's time zone, with the zone: `10:30 UTC`."""
    local = timezone.localtime(value)
    zone = format_time(local, "z", locale=_international())
    return f"{format_time(local, 'HH:mm', locale=_international())} {zone if zone.isalpha() else local.tzname()}"


def long_moment(value: datetime) -> str:
    """Write a day and a time: `26 November 2026, 10:30 UTC`."""
    return _long_moment(value.replace(second=0, microsecond=0), _language(), _international(), timezone.get_current_timezone_name())


@lru_cache(maxsize=1000)
def _long_moment(value: datetime, *_written_for: object) -> str:
    """Write a minute. Many mails and pages name the same ones, and Babel needs a third of a millisecond for one."""
    return f"{long_date(value)}, {clock(value)}"


def short_moment(value: datetime) -> str:
    """Write a day and a time where there is little room: `26 Nov 2026, 10:30 UTC`."""
    return f"{short_date(value)}, {clock(value)}"


def _local(value: date) -> date:
    return timezone.localtime(value) if isinstance(value, datetime) else value
