"""A local server that plays the four sources of exchange rates, each in its own format, and each as a test wants it."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

NAMES = ("coinbase", "kraken", "coingecko", "bitstamp")
KRAKEN_PAIRS = {"XBTUSD": ("BTC", "XXBTZUSD"), "LTCUSD": ("LTC", "XLTCZUSD"), "XRPUSD": ("XRP", "XXRPZUSD")}
COINGECKO_IDS = {"bitcoin": "BTC", "litecoin": "LTC", "ripple": "XRP"}
PREFIXES = {"/v2/": "coinbase", "/0/": "kraken", "/api/v3": "coingecko", "/api/v2": "bitstamp"}

Mood = Callable[["Handler"], None]


class Exchanges(ThreadingHTTPServer):
    request_queue_size = 50
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.prices = {name: {"BTC": "50000.10"} for name in NAMES}
        """Each source knows the coins that it has a price for, in US dollars."""
        self.quoted_at = {name: int(time.time()) for name in NAMES}
        self.moods: dict[str, Mood] = {}
        """By source: what it does instead of answering, a function of the handler."""
        self.asked: defaultdict[str, list[str]] = defaultdict(list)
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def all_tell(self, price: str, coin: str = "BTC") -> None:
        for prices in self.prices.values():
            prices[coin] = price

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        self.is_over.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Exchanges

    def do_GET(self) -> None:
        name = next(name for prefix, name in PREFIXES.items() if self.path.startswith(prefix))
        self.server.asked[name].append(self.path)
        with suppress(ConnectionError):
            self.server.moods.get(name, tell)(self)

    def tell(self, status: int, body: Any, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @property
    def url(self) -> SplitResult:
        return urlsplit(self.path)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.url.query).items()}

    def log_message(self, *_: object) -> None:
        pass


def tell(handler: "Handler") -> None:
    """The answer to this question."""
    name = next(name for prefix, name in PREFIXES.items() if handler.path.startswith(prefix))
    handler.tell(*ANSWERS[name](handler, handler.server.prices[name], handler.server.quoted_at[name]))


def coinbase(handler: "Handler", prices: dict[str, str], _: object) -> tuple[int, Any]:
    coin, _, currency = handler.url.path.removeprefix("/v2/prices/").removesuffix("/spot").partition("-")
    if currency != "USD" or coin not in prices:
        return 404, {"errors": [{"id": "not_found", "message": "Invalid base currency"}]}
    return 200, {"data": {"amount": prices[coin], "base": coin, "currency": "USD"}}


def kraken(handler: "Handler", prices: dict[str, str], _: object) -> tuple[int, Any]:
    coin, pair = KRAKEN_PAIRS.get(handler.query["pair"], ("", ""))
    if coin not in prices:
        return 200, {"error": ["EQuery:Unknown asset pair"]}
    price = prices[coin]
    ticker: dict[str, Any] = {"a": [price, "1", "1.000"], "b": [price, "2", "2.000"], "c": [price, "0.00100000"], "v": ["1.0", "2.0"]}
    ticker |= {"p": [price, price], "t": [10, 20], "l": [price, price], "h": [price, price], "o": price}
    return 200, {"error": [], "result": {pair: ticker}}


def coingecko(handler: "Handler", prices: dict[str, str], quoted_at: int) -> tuple[int, Any]:
    name, currency = handler.query["ids"], handler.query["vs_currencies"]
    told = {"last_updated_at": quoted_at} if handler.query.get("include_last_updated_at") == "true" else {}
    coin = COINGECKO_IDS[name]
    price = f'"usd": {prices[coin]}, ' if currency == "usd" and coin in prices else ""  # its prices are JSON's numbers
    return 200, f'{{"{name}": {{{price}{json.dumps(told)[1:-1]}}}}}'.replace(", }", "}").encode()


def bitstamp(handler: "Handler", prices: dict[str, str], quoted_at: int) -> tuple[int, Any]:
    pair = handler.url.path.removeprefix("/api/v2/ticker/").strip("/")
    coin = pair[:3].upper()
    if pair[3:] != "usd" or coin not in prices:
        return 404, b"<!DOCTYPE html><html><title>404</title></html>"
    price = prices[coin]
    names = ("open", "high", "low", "last", "volume", "vwap", "bid", "ask", "open_24")
    return 200, {"timestamp": str(quoted_at), **dict.fromkeys(names, price), "side": "0", "percent_change_24": "0.1"}


ANSWERS = {"coinbase": coinbase, "kraken": kraken, "coingecko": coingecko, "bitstamp": bitstamp}


# --- Moods --------------------------------------------------------------------------------------------------------------


def says(status: int, body: Any, **headers: str) -> "Mood":
    return lambda handler: handler.tell(status, body, **headers)


def breaks_off(handler: "Handler") -> None:
    """In the middle of a good answer."""
    status, body = ANSWERS["coinbase"](handler, {"BTC": "50000.10", "LTC": "80"}, 0)
    handler.tell(status, json.dumps(body).encode()[:-10], Content_Length="1000")
    handler.close_connection = True


def is_long(handler: "Handler") -> None:
    """A megabyte of spaces, then the right answer."""
    name = next(name for prefix, name in PREFIXES.items() if handler.path.startswith(prefix))
    status, body = ANSWERS[name](handler, {"BTC": "50000.10"}, int(time.time()))
    handler.tell(status, b" " * 1_000_000 + (body if isinstance(body, bytes) else json.dumps(body).encode()))


def is_silent(handler: "Handler") -> None:
    handler.server.is_over.wait(600)


def drips(handler: "Handler") -> None:
    """The status line and a header letter by letter, for longer than anybody waits."""
    for letter in b"HTTP/1.0 200 OK\r\nX-Slow: " + b"y" * 6000:
        if handler.server.is_over.wait(0.1):
            return
        handler.wfile.write(bytes([letter]))
