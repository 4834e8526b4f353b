"""Exchange rates that several sources agree on. Invoices are priced only by them."""

import hashlib
import logging
import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone
from django.utils.translation import gettext as _

from cryptons.coins import CARD, COINS
from cryptons.money import UNITS, minor_digits
from payments.errors import RateUnavailable
from payments.models import Rate
from payments.rates.sources import Quote, ask_sources

logger = logging.getLogger(__name__)

FRESH = timedelta(minutes=10)
"""The maximum age of a rate that prices an order, by the time that its source gives, if it gives one."""
LAG = timedelta(minutes=5)
"""The maximum age of a quote when a source is asked, so that the rate stays fresh over the next few refreshes."""
MAX_DEVIATION = Decimal("0.02")
MIN_SOURCES = 2
CACHE_SECONDS = 600
"""As long as a rate is fresh. A worker publishes each new one, so nobody queries the database for them while it works."""
CACHE_KEY = "rates-%s"
"""With the shop's currency: a shop that changes it must not read the prices of the old one."""


@dataclass(frozen=True)
class CurrentRate:
    minor_per_coin: Decimal
    """Minor units of the shop's currency for one coin."""
    quoted_at: datetime
    sources: dict[str, str]
    """Each source's raw quote in the shop's currency."""


def rate_for(network: str, *, at: datetime, currency: str = "") -> CurrentRate:
    """Return a rate that is fresh enough to price an invoice in this currency; by default, the shop's. Raises RateUnavailable.

    There are rates in the shop's currency only: an invoice may be of a time when the shop had another one.
    """
    if currency and currency != settings.CURRENCY:
        raise RateUnavailable(_("There are no rates in this currency."))
    rate = latest_rate(network, at=at)
    if rate is None or not is_fresh(rate.quoted_at, at):
        coin = UNITS[network].coin
        text = _("There is no current price of %(coin)s. Please try again in a few minutes, or pay with another coin.")
        raise RateUnavailable(text % {"coin": coin})
    return rate


def latest_rate(network: str, *, at: datetime) -> CurrentRate | None:
    """Return the newest rate, even if it is too old to price an order. Cards pay in the shop's currency: one is one."""
    coin = UNITS[network].coin
    if network == CARD:
        return CurrentRate(Decimal(10 ** minor_digits(settings.CURRENCY)), at, {})
    return _fixed(coin, at) if settings.FIXED_RATES else _stored(coin)


def current_rates() -> dict[str, CurrentRate]:
    """Return the fresh rates of all coins, for display. Read from the shared cache, where a worker publishes them."""
    now = timezone.now()
    if settings.FIXED_RATES:
        return {coin: rate for coin in settings.FIXED_RATES if (rate := _fixed(coin, now))}
    kept: dict[str, list[Any]] | None = caches["shared"].get(CACHE_KEY % settings.CURRENCY)
    rates = publish_rates() if kept is None else {coin: _from_plain(*plain) for coin, plain in kept.items()}
    return {coin: rate for coin, rate in rates.items() if is_fresh(rate.quoted_at, now)}


def is_fresh(moment: datetime, at: datetime) -> bool:
    """Return whether the rate may price an order. A time in the future is as bad as an old one: one of the clocks is wrong."""
    return abs(at - moment) <= FRESH


def rates_version() -> str:
    """Return a short text that changes whenever a displayed price changes."""
    text = ",".join(f"{coin}={rate.minor_per_coin}" for coin, rate in sorted(current_rates().items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def publish_rates() -> dict[str, CurrentRate]:
    """Write the stored rates to the cache that all processes share."""
    rates = {row.coin: _as_current(row) for row in Rate.objects.filter(currency=settings.CURRENCY)}
    plain = {coin: [str(rate.minor_per_coin), rate.quoted_at.isoformat(), rate.sources] for coin, rate in rates.items()}
    caches["shared"].set(CACHE_KEY % settings.CURRENCY, plain, CACHE_SECONDS)
    return rates


def _from_plain(minor_per_coin: str, quoted_at: str, sources: dict[str, str]) -> CurrentRate:
    return CurrentRate(Decimal(minor_per_coin), datetime.fromisoformat(quoted_at), sources)


def refresh_rates(*, at: datetime) -> set[str]:
    """Ask every source for every coin; store what at least two agree on. Returns the coins that have a new rate."""
    if settings.FIXED_RATES:
        return set()
    answers = ask_sources(settings.CURRENCY)
    refreshed = set()
    for coin in COINS:
        fresh = fresh_quotes({name: quotes[coin] for name, quotes in answers.items() if coin in quotes}, at=at)
        agreed = agree({name: quote.price for name, quote in fresh.items()})
        if agreed is None:
            logger.warning("no rate agreed on", extra={"coin": coin})
            continue
        price, used = agreed
        Rate.objects.update_or_create(
            coin=coin,
            defaults={
                "currency": settings.CURRENCY,
                "minor_per_coin": _minor(price),
                "sources": {name: str(quote) for name, quote in used.items()},
                "quoted_at": min(at, *(fresh[name].quoted_at or at for name in used)),
            },
        )
        refreshed.add(coin)
    publish_rates()
    return refreshed


def fresh_quotes(quotes: dict[str, Quote], *, at: datetime) -> dict[str, Quote]:
    """Drop the quotes that are old, or in the future, by the time that their source gives. Pure."""
    return {name: quote for name, quote in quotes.items() if quote.quoted_at is None or abs(at - quote.quoted_at) <= LAG}


def agree(quotes: dict[str, Decimal]) -> tuple[Decimal, dict[str, Decimal]] | None:
    """Return the median of the quotes within 2 % of the median of all, and these quotes; None if fewer than two are left. Pure."""
    if len(quotes) < MIN_SOURCES:
        return None
    middle = statistics.median(quotes.values())
    used = {name: quote for name, quote in quotes.items() if abs(quote - middle) <= middle * MAX_DEVIATION}
    return (statistics.median(used.values()), used) if len(used) >= MIN_SOURCES else None


def _fixed(coin: str, at: datetime) -> CurrentRate | None:
    price = settings.FIXED_RATES.get(coin)
    return None if price is None else CurrentRate(_minor(price), at, {"fixed": str(price)})


def _stored(coin: str) -> CurrentRate | None:
    row = Rate.objects.filter(coin=coin, currency=settings.CURRENCY).first()
    return None if row is None else _as_current(row)


def _as_current(row: Rate) -> CurrentRate:
    return CurrentRate(row.minor_per_coin, row.quoted_at, row.sources)


def _minor(price: Decimal) -> Decimal:
    """Round to the eight decimals that the database keeps, so that the displayed rate is the stored one."""
    return price.scaleb(minor_digits(settings.CURRENCY)).quantize(Decimal("1E-8"))
