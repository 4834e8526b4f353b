"""Where exchange rates come from: one small adapter for each source's own format.

RATE_SOURCES names those to ask; `name=http://host` asks another address in the same format.
"""

import json
import logging
from abc import ABC, abstractmethod
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

logger = logging.getLogger(__name__)

COINS = ("BTC", "LTC", "XRP")
TIMEOUT_SECONDS = 5


class Source(ABC):
    name: str
    address: str

    def __init__(self, address: str = "") -> None:
        self.address = address or self.address

    def quotes(self, currency: str) -> dict[str, Decimal]:
        """{coin: price in the currency}; a coin that it does not tell, or tells as nonsense, is left out. Never raises."""
        found = {}
        with httpx.Client(base_url=self.address, timeout=TIMEOUT_SECONDS) as client:
            for coin in COINS:
                try:
                    answer = client.get(self.path(coin, currency))
                    answer.raise_for_status()
                    price = Decimal(self.read(json.loads(answer.text, parse_float=Decimal), coin, currency))
                except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError, InvalidOperation) as error:
                    logger.info("rate source has no answer", extra={"source": self.name, "coin": coin, "error": type(error).__name__})
                    continue
                if price.is_finite() and price > 0:
                    found[coin] = price
        return found

    @abstractmethod
    def path(self, coin: str, currency: str) -> str: ...

    @abstractmethod
    def read(self, answer: Any, coin: str, currency: str) -> Any: ...


class Coinbase(Source):
    name = "coinbase"
    address = "https://api.coinbase.com"

    def path(self, coin: str, currency: str) -> str:
        return f"/v2/prices/{coin}-{currency}/spot"

    def read(self, answer: Any, coin: str, currency: str) -> Any:
        return answer["data"]["amount"]


class Kraken(Source):
    name = "kraken"
    address = "https://api.kraken.com"

    def path(self, coin: str, currency: str) -> str:
        return f"/0/public/Ticker?pair={'XBT' if coin == 'BTC' else coin}{currency}"

    def read(self, answer: Any, coin: str, currency: str) -> Any:
        (ticker,) = answer["result"].values()
        return ticker["c"][0]


class CoinGecko(Source):
    name = "coingecko"
    address = "https://api.coingecko.com"
    ids = {"BTC": "bitcoin", "LTC": "litecoin", "XRP": "ripple"}

    def path(self, coin: str, currency: str) -> str:
        return f"/api/v3/simple/price?ids={self.ids[coin]}&vs_currencies={currency.lower()}"

    def read(self, answer: Any, coin: str, currency: str) -> Any:
        return answer[self.ids[coin]][currency.lower()]


class Bitstamp(Source):
    name = "bitstamp"
    address = "https://www.bitstamp.net"

    def path(self, coin: str, currency: str) -> str:
        return f"/api/v2/ticker/{coin.lower()}{currency.lower()}/"

    def read(self, answer: Any, coin: str, currency: str) -> Any:
        return answer["last"]


KNOWN: dict[str, type[Source]] = {source.name: source for source in (Coinbase, Kraken, CoinGecko, Bitstamp)}


def sources() -> list[Source]:
    """Those that RATE_SOURCES names. Raises ImproperlyConfigured for one that nobody knows."""
    asked = [word.partition("=") for word in settings.RATE_SOURCES]
    unknown = [name for name, _, _ in asked if name not in KNOWN]
    if unknown:
        raise ImproperlyConfigured(f"RATE_SOURCES can name {', '.join(KNOWN)}, not {unknown[0]!r}.")
    return [KNOWN[name](address) for name, _, address in asked]
