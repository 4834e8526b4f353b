"""The sources of exchange rates: one adapter for the format of each. All are asked at the same time.

RATE_SOURCES names the sources to ask; `name=http://host` asks another address in the same format.
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
"""For all answers of one source, from the look-up of its host to the last byte, even if it sends one byte at a time."""
MAX_BYTES = 64 * 1024
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}

MIN_PRICE, MAX_PRICE = Decimal("0.000001"), Decimal(10**12)
PLAIN = re.compile(r"[0-9]{1,13}(\.[0-9]{1,20})?")
MAX_DIGITS = 30

UNREADABLE = (
    *(httpx.HTTPError, httpx.InvalidURL, OSError),
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError),
)
"""Errors of a source that is unreachable, refuses, or answers in another format than before."""


@dataclass(frozen=True)
class Quote:
    price: Decimal
    quoted_at: datetime | None = None
    """The time that the source gives for the price; None if it gives none."""


class Source(ABC):
    name: str
    address: str

    def __init__(self, address: str = "") -> None:
        self.address = (address or self.address).rstrip("/")

    async def quotes(self, http: httpx.AsyncClient, currency: str) -> dict[str, Quote]:
        """Return {coin: quote in the currency}. A coin without a readable answer in time is left out. Never raises."""
        quotes: dict[str, Quote] = {}

        async def ask(coin: str) -> None:
            try:
                body = await _read(http, self.address + self.path(coin, currency))
                quotes[coin] = self.read(json.loads(body, parse_float=Decimal), coin, currency)
            except UNREADABLE as error:
                logger.info("rate source has no answer", extra={"source": self.name, "coin": coin, "error": type(error).__name__})

        with suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE.total_seconds()):
                await asyncio.gather(*(ask(coin) for coin in COINS))
        return quotes

    @abstractmethod
    def path(self, coin: str, currency: str) -> str: ...

    @abstractmethod
    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        """Raises one of UNREADABLE."""


async def _read(http: httpx.AsyncClient, url: str) -> bytes:
    """Read a short answer. Redirects are not followed, and nothing is decompressed."""
    body = b""
    async with http.stream("GET", url) as answer:
        answer.raise_for_status()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > MAX_BYTES:
                raise ValueError("The answer is too long to be a price.")
    return body


def ask_sources(currency: str) -> dict[str, dict[str, Quote]]:
    """Return {source: {coin: quote}} for all of RATE_SOURCES. Takes no longer than DEADLINE, even if a source is slow."""
    return asyncio.run(_gather(sources(), currency))


async def _gather(asked: Iterable[Source], currency: str) -> dict[str, dict[str, Quote]]:
    async with httpx.AsyncClient(headers=HEADERS, timeout=DEADLINE.total_seconds()) as http:
        asked = list(asked)
        answers = await asyncio.gather(*(source.quotes(http, currency) for source in asked))
    return {source.name: quotes for source, quotes in zip(asked, answers, strict=True)}


def _price(value: Any) -> Decimal:
    """Read a JSON number, or a string that spells one. Raises ValueError, ArithmeticError."""
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and PLAIN.fullmatch(value)):
        raise ValueError("This is not a number.")
    price = Decimal(value)
    if not MIN_PRICE <= price <= MAX_PRICE or len(price.as_tuple().digits) > MAX_DIGITS:
        raise ValueError("This cannot be a price.")
    return price


def _moment(value: Any) -> datetime:
    """Read seconds since 1970, as a number or a string. Raises ValueError, TypeError, ArithmeticError, OSError."""
    return datetime.fromtimestamp(int(value), UTC)


class Coinbase(Source):
    """Gives no time with its price."""

    name = "coinbase"
    address = "https://api.coinbase.com"

    def path(self, coin: str, currency: str) -> str:
        return f"/v2/prices/{COINS[coin].rate_id(self.name)}-{currency}/spot"

    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        return Quote(_price(answer["data"]["amount"]))


class Kraken(Source):
    """Gives no time with its price. Its errors come with status 200."""

    name = "kraken"
    address = "https://api.kraken.com"

    def path(self, coin: str, currency: str) -> str:
        return f"/0/public/Ticker?pair={COINS[coin].rate_id(self.name)}{currency}"

    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        if any(str(word).startswith("E") for word in answer["error"]):  # W is a warning
            raise ValueError("Kraken answers with an error.")
        (ticker,) = answer["result"].values()
        return Quote(_price(ticker["c"][0]))


class CoinGecko(Source):
    name = "coingecko"
    address = "https://api.coingecko.com"

    def path(self, coin: str, currency: str) -> str:
        return f"/api/v3/simple/price?ids={COINS[coin].rate_id(self.name)}&vs_currencies={currency.lower()}&include_last_updated_at=true"

    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        ticker = answer[COINS[coin].rate_id(self.name)]
        return Quote(_price(ticker[currency.lower()]), _moment(ticker["last_updated_at"]) if "last_updated_at" in ticker else None)


class Bitstamp(Source):
    name = "bitstamp"
    address = "https://www.bitstamp.net"

    def path(self, coin: str, currency: str) -> str:
        return f"/api/v2/ticker/{COINS[coin].rate_id(self.name).lower()}{currency.lower()}/"

    def read(self, answer: Any, coin: str, currency: str) -> Quote:
        return Quote(_price(answer["last"]), _moment(answer["timestamp"]) if "timestamp" in answer else None)


KNOWN: dict[str, type[Source]] = {source.name: source for source in (Coinbase, Kraken, CoinGecko, Bitstamp)}


def sources() -> list[Source]:
    """Return the sources that RATE_SOURCES names. Raises ImproperlyConfigured for an unknown name or a malformed address."""
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
