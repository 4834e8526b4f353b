"""What a coin costs, agreed on by several sources: the only prices that an invoice is made from."""

import hashlib
import logging
import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone

from cryptons.coins import COINS
from cryptons.money import UNITS, minor_digits
from payments.errors import RateUnavailable
from payments.models import Rate
from payments.rates.sources import Quote, ask_sources

logger = logging.getLogger(__name__)

FRESH = timedelta(minutes=10)
"""What prices an order is no older than this, by its source's own word where it tells the time."""
LAG = timedelta(minutes=5)
"""So much of it may be over when a source is asked: what comes of it then lasts until the sources were asked some times more."""
MAX_DEVIATION = Decimal("0.02")
MIN_SOURCES = 2
CACHE_SECONDS = 60
CACHE_KEY = "rates"


@dataclass(frozen=True)
class CurrentRate:
    minor_per_coin: Decimal
    """Minor units of the shop's currency for one coin."""
    quoted_at: datetime
    sources: dict[str, str]
    """Each source's raw quote in the shop's currency."""


def rate_for(network: str, *, at: datetime) -> CurrentRate:
    """A rate fresh enough to price an invoice. Raises RateUnavailable."""
    rate = latest_rate(network, at=at)
    if rate is None or not is_fresh(rate.quoted_at, at):
        coin = UNITS[network].coin
        raise RateUnavailable(f"There is no fresh {coin} price right now. Please try again in a few minutes, or pay with another coin.")
    return rate


def latest_rate(network: str, *, at: datetime) -> CurrentRate | None:
    """The newest that there is, however old."""
    coin = UNITS[network].coin
    return _fixed(coin, at) if settings.FIXED_RATES else _stored(coin)


def current_rates() -> dict[str, CurrentRate]:
    """The fresh rates of all coins, for display. From the shared cache; at most one query a minute."""
    now = timezone.now()
    if settings.FIXED_RATES:
        return {coin: rate for coin in settings.FIXED_RATES if (rate := _fixed(coin, now))}
    rates: dict[str, CurrentRate] | None = caches["shared"].get(CACHE_KEY)
    if rates is None:
        rates = publish_rates()
    return {coin: rate for coin, rate in rates.items() if is_fresh(rate.quoted_at, now)}


def is_fresh(moment: datetime, at: datetime) -> bool:
    """What claims to be of a later day is no better than what is old: one of the clocks is wrong."""
    return abs(at - moment) <= FRESH


def rates_version() -> str:
    """Short, and another one whenever a displayed price would be another."""
    text = ",".join(f"{coin}={rate.minor_per_coin}" for coin, rate in sorted(current_rates().items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def publish_rates() -> dict[str, CurrentRate]:
    """Put the stored rates where every process reads them."""
    rates = {row.coin: _as_current(row) for row in Rate.objects.filter(currency=settings.CURRENCY)}
    caches["shared"].set(CACHE_KEY, rates, CACHE_SECONDS)
    return rates


def refresh_rates(*, at: datetime) -> set[str]:
    """Ask every source for every coin; store what at least two agree on. Returns the coins that have a new rate."""
    if settings.FIXED_RATES:
        return set()
    told = ask_sources(settings.CURRENCY)
    refreshed = set()
    for coin in COINS:
        fresh = fresh_quotes({name: quotes[coin] for name, quotes in told.items() if coin in quotes}, at=at)
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
                "quoted_at": min(at, *(fresh[name].told_at or at for name in used)),
            },
        )
        refreshed.add(coin)
    publish_rates()
    return refreshed


def fresh_quotes(quotes: dict[str, Quote], *, at: datetime) -> dict[str, Quote]:
    """Without those that their own source calls old, or of a later moment. Pure."""
    return {name: quote for name, quote in quotes.items() if quote.told_at is None or abs(at - quote.told_at) <= LAG}


def agree(quotes: dict[str, Decimal]) -> tuple[Decimal, dict[str, Decimal]] | None:
    """The median of the quotes that stray no more than 2 % from the median of all; None when fewer than two are left. Pure."""
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
    """Rounded to the eight decimals that the database keeps, so that what is shown is what is stored."""
    return price.scaleb(minor_digits(settings.CURRENCY)).quantize(Decimal("1E-8"))
