"""Where exchange rates come from: one small adapter for each source's own format. All are asked side by side.

RATE_SOURCES names those to ask; `name=http://host` asks another address in the same format.
"""

import asyncio
import json
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from cryptons.coins import COINS

logger = logging.getLogger(__name__)

DEADLINE = timedelta(seconds=8)
"""For all answers of one source, from the first look at its name to the last byte, however they drip."""
MOST_BYTES = 64 * 1024
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}

LEAST_PRICE, MOST_PRICE = Decimal("0.000001"), Decimal(10**12)
PLAIN = re.compile(r"[0-9]{1,13}(\.[0-9]{1,20})?")
MOST_DIGITS = 30

UNREADABLE = (
    *(httpx.HTTPError, httpx.InvalidURL, OSError),
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError),
)
"""What comes of a source that is away, refuses, or answers something else than it used to."""


@dataclass(frozen=True)
class Quote:
    price: Decimal
    told_at: datetime | None = None
    """Of what moment the source itself says it is; None where it does not say."""


class Source(ABC):
    name: str
    address: str

    def __init__(self, address: str = "") -> None:
        self.address = (address or self.address).rstrip("/")

    async def quotes(self, http: httpx.AsyncClient, currency: str) -> dict[str, Quote]:
        """{coin: quote in the currency}; a coin that it does not tell in time, or tells as nonsense, is left out. Never raises."""
        found: dict[str, Quote] = {}

        async def ask(coin: str) -> None:
            try:
                body = await _read(http, self.address + self.path(coin, currency))
                found[coin] = self.read(json.loads(body, parse_float=Decimal), coin, currency)
            except UNREADABLE as error:
                logger.info("rate source has no answer", extra={"source": self.name, "coin": coin, "error": type(error).__name__})

        with suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE.total_seconds()):
                await asyncio.gather(*(ask(coin) for coin in COINS))
        return found

    @abstractmethod
    def path(self, coin: str, currency: str) -> str: ...

    @abstractmethod
    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        """Raises one of UNREADABLE."""


async def _read(http: httpx.AsyncClient, url: str) -> bytes:
    """No redirect is followed, and nothing unpacked: a price is short."""
    body = b""
    async with http.stream("GET", url) as answer:
        answer.raise_for_status()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > MOST_BYTES:
                raise ValueError("The answer is too long to be a price.")
    return body


def ask_sources(currency: str) -> dict[str, dict[str, Quote]]:
    """{source: {coin: quote}} of all that RATE_SOURCES names. Takes no longer than DEADLINE, however slow one of them is."""
    return asyncio.run(_ask_all(sources(), currency))


async def _ask_all(asked: Iterable[Source], currency: str) -> dict[str, dict[str, Quote]]:
    async with httpx.AsyncClient(headers=HEADERS, timeout=DEADLINE.total_seconds()) as http:
        asked = list(asked)
        told = await asyncio.gather(*(source.quotes(http, currency) for source in asked))
    return {source.name: quotes for source, quotes in zip(asked, told, strict=True)}


def _price(told: Any) -> Decimal:
    """Of a JSON number, or of a string that spells one. Raises ValueError, ArithmeticError."""
    is_number = isinstance(told, int | Decimal) and not isinstance(told, bool)
    if not is_number and not (isinstance(told, str) and PLAIN.fullmatch(told)):
        raise ValueError("This is no number.")
    price = Decimal(told)
    if not LEAST_PRICE <= price <= MOST_PRICE or len(price.as_tuple().digits) > MOST_DIGITS:
        raise ValueError("Nothing costs this.")
    return price


def _moment(told: Any) -> datetime:
    """Seconds since 1970, as a number or spelled. Raises ValueError, TypeError, ArithmeticError, OSError."""
    return datetime.fromtimestamp(int(told), UTC)


class Coinbase(Source):
    """Tells no time."""

    name = "coinbase"
    address = "https://api.coinbase.com"

    def path(self, coin: str, currency: str) -> str:
        return f"/v2/prices/{COINS[coin].rate_id(self.name)}-{currency}/spot"

    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        return Quote(_price(answer["data"]["amount"]))


class Kraken(Source):
    """Tells no time. Its errors come with status 200."""

    name = "kraken"
    address = "https://api.kraken.com"

    def path(self, coin: str, currency: str) -> str:
        return f"/0/public/Ticker?pair={COINS[coin].rate_id(self.name)}{currency}"

    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        if any(str(word).startswith("E") for word in answer["error"]):  # W is a warning
            raise ValueError("Kraken says that it cannot tell.")
        (ticker,) = answer["result"].values()
        return Quote(_price(ticker["c"][0]))


class CoinGecko(Source):
    name = "coingecko"
    address = "https://api.coingecko.com"

    def path(self, coin: str, currency: str) -> str:
        return f"/api/v3/simple/price?ids={COINS[coin].rate_id(self.name)}&vs_currencies={currency.lower()}&include_last_updated_at=true"

    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        told = answer[COINS[coin].rate_id(self.name)]
        return Quote(_price(told[currency.lower()]), _moment(told["last_updated_at"]) if "last_updated_at" in told else None)


class Bitstamp(Source):
    name = "bitstamp"
    address = "https://www.bitstamp.net"

    def path(self, coin: str, currency: str) -> str:
        return f"/api/v2/ticker/{COINS[coin].rate_id(self.name).lower()}{currency.lower()}/"

    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        return Quote(_price(answer["last"]), _moment(answer["timestamp"]) if "timestamp" in answer else None)


KNOWN: dict[str, type[Source]] = {source.name: source for source in (Coinbase, Kraken, CoinGecko, Bitstamp)}


def sources() -> list[Source]:
    """Those that RATE_SOURCES names. Raises ImproperlyConfigured for one that nobody knows, and for what is no address."""
    asked = [word.partition("=") for word in settings.RATE_SOURCES]
    unknown = [name for name, _, _ in asked if name not in KNOWN]
    if unknown:
        raise ImproperlyConfigured(f"RATE_SOURCES can name {', '.join(KNOWN)}, not {unknown[0]!r}.")
    wrong = [address for _, _, address in asked if address and not _is_address(address)]
    if wrong:
        raise ImproperlyConfigured(f"RATE_SOURCES must name addresses such as https://api.kraken.com, not {wrong[0]!r}.")
    return [KNOWN[name](address) for name, _, address in asked]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
