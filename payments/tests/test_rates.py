"""Sources in their own formats, from a local server that plays them; outages, garbage and outliers among them."""

import json
import threading
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from payments.errors import RateUnavailable
from payments.rate_sources import sources
from payments.rates import agree, current_rates, rate_for, rates_version, refresh_rates


class Exchange(BaseHTTPRequestHandler):
    """All four exchanges at once, told apart by their paths; BTC costs what the server says."""

    def do_GET(self):
        price = self.server.prices.get(self.exchange(), None)
        body = self.body(price)
        if body is None:
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def exchange(self):
        paths = {"/v2/": "coinbase", "/0/": "kraken", "/api/v3": "coingecko", "/api/v2": "bitstamp"}
        return next(name for path, name in paths.items() if self.path.startswith(path))

    def body(self, price):
        if price is None or isinstance(price, bytes):
            return price
        if self.path == "/v2/prices/BTC-USD/spot":
            return {"data": {"amount": price, "base": "BTC", "currency": "USD"}}
        if self.path == "/0/public/Ticker?pair=XBTUSD":
            return {"error": [], "result": {"XXBTZUSD": {"c": [price, "0.1"]}}}
        if self.path == "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd":
            return f'{{"bitcoin":{{"usd":{price}}}}}'.encode()
        if self.path == "/api/v2/ticker/btcusd/":
            return {"last": price, "high": "1"}
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def exchanges(settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
    server.prices = dict.fromkeys(("coinbase", "kraken", "coingecko", "bitstamp"), "50000.10")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    settings.FIXED_RATES = {}
    settings.RATE_SOURCES = [f"{name}={address}" for name in server.prices]
    yield server.prices
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.django_db
def test_each_source_is_read_in_its_own_format(exchanges):
    assert [source.quotes("USD") for source in sources()] == [{"BTC": Decimal("50000.10")}] * 4


@pytest.mark.django_db
def test_the_median_is_stored_with_its_sources(exchanges):
    exchanges.update(coinbase="50000", kraken="50100", coingecko="50200", bitstamp="50300.5")
    now = timezone.now().replace(microsecond=0)

    assert refresh_rates(at=now) == {"BTC"}

    rate = rate_for("BTC", at=now)
    assert rate.minor_per_coin == Decimal(5_015_000)
    assert rate.sources == {"coinbase": "50000", "kraken": "50100", "coingecko": "50200", "bitstamp": "50300.5"}


@pytest.mark.django_db
@pytest.mark.parametrize("garbage", [None, b"", b"<html>", b"[]", b'{"data":{"amount":"NaN"}}', "-1", "0", "Infinity", b"\xff"])
def test_a_source_that_fails_or_talks_nonsense_is_left_out(exchanges, garbage):
    exchanges["coinbase"] = garbage
    refresh_rates(at=timezone.now())
    assert set(current_rates()["BTC"].sources) == {"kraken", "coingecko", "bitstamp"}


@pytest.mark.django_db
def test_one_source_alone_prices_nothing(exchanges):
    exchanges.update(kraken=None, coingecko=None, bitstamp=None)
    assert refresh_rates(at=timezone.now()) == set()
    with pytest.raises(RateUnavailable):
        rate_for("BTC", at=timezone.now())


@pytest.mark.django_db
def test_an_old_rate_prices_nothing_and_a_new_one_does_again(exchanges):
    now = timezone.now().replace(microsecond=0)
    refresh_rates(at=now - timedelta(minutes=11))
    with pytest.raises(RateUnavailable):
        rate_for("BTC", at=now)
    refresh_rates(at=now)
    assert rate_for("BTC", at=now).quoted_at == now


@pytest.mark.django_db
def test_the_version_changes_with_the_rates_only(exchanges):
    refresh_rates(at=timezone.now())
    first = rates_version()
    refresh_rates(at=timezone.now())
    assert rates_version() == first
    exchanges.update(coinbase="51000", kraken="51000", coingecko="51000", bitstamp="51000")
    refresh_rates(at=timezone.now())
    assert rates_version() != first


@pytest.mark.django_db
def test_showing_rates_again_asks_no_database(exchanges, django_assert_num_queries):
    refresh_rates(at=timezone.now())
    with django_assert_num_queries(0):
        current_rates()


def test_an_outlier_is_dropped_from_the_median():
    quotes = {"a": Decimal(100), "b": Decimal(101), "c": Decimal(150)}
    assert agree(quotes) == (Decimal("100.5"), {"a": Decimal(100), "b": Decimal(101)})


def test_two_sources_that_disagree_agree_on_nothing():
    assert agree({"a": Decimal(100), "b": Decimal(110)}) is None


def test_fixed_rates_are_always_fresh():
    assert rate_for("XRP", at=timezone.now()).minor_per_coin == 55
    assert set(current_rates()) == {"BTC", "LTC", "XRP"}


def test_an_unknown_source_is_named(settings):
    settings.RATE_SOURCES = ["mtgox"]
    with pytest.raises(ImproperlyConfigured, match="mtgox"):
        sources()
