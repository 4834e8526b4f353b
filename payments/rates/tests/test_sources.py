"""Sources of rates in their own formats, from a local server that plays them; outages and garbage among them."""

import asyncio
import threading
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from cryptons.coins import COINS
from payments.rates import sources as sources_module
from payments.rates.sources import KNOWN, UNREADABLE, Quote, ask_sources, sources
from payments.rates.tests.exchanges import NAMES, breaks_off, drips, is_long, is_silent, says, tell
from payments.tests.factories import NOW

OTHERS = {"kraken", "coingecko", "bitstamp"}


@pytest.mark.parametrize("name", NAMES)
def test_each_source_is_read_in_its_own_format(exchanges, name):
    exchanges.prices[name] = {"BTC": "50000.1", "LTC": "80.25", "XRP": "0.551234567"}

    told = ask_sources("USD")[name]

    prices = {coin: quote.price for coin, quote in told.items()}
    assert prices == {"BTC": Decimal("50000.1"), "LTC": Decimal("80.25"), "XRP": Decimal("0.551234567")}
    assert len(exchanges.asked[name]) == 3


@pytest.mark.parametrize("name", ["coingecko", "bitstamp"])
def test_the_time_that_a_source_gives_for_its_quote_is_used(exchanges, name):
    exchanges.quoted_at[name] = int(NOW.timestamp())
    assert ask_sources("USD")[name] == {"BTC": Quote(Decimal("50000.10"), NOW)}


@pytest.mark.parametrize("name", NAMES)
def test_a_source_has_no_quotes_in_a_currency_that_it_does_not_list(exchanges, name):
    assert ask_sources("ISK")[name] == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_coin_that_a_source_does_not_list_does_not_prevent_its_other_quotes(exchanges, name):
    exchanges.prices[name] = {"XRP": "0.55"}
    assert set(ask_sources("USD")[name]) == {"XRP"}


BAD_ANSWERS = {
    "an error of the server": says(500, {"message": "Internal"}),
    "a gateway's error page": says(502, b"<html>Bad gateway</html>"),
    "too many requests": says(429, {"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit."}}, Retry_After="60"),
    "too many requests, with status 200": says(200, {"status": {"error_code": 429, "error_message": "Throttled"}}),
    "an error with status 200": says(200, {"error": ["EService:Unavailable"]}),
    "an error next to a result": says(
        200,
        {
            "error": ["EGeneral:Internal error"],
            "data": {"amount": None},
            "result": {"XXBTZUSD": {"c": ["50000.10", "1"]}},
            "bitcoin": {},
        },
    ),
    "a page instead of JSON": says(200, b"<!DOCTYPE html><html><body>Maintenance</body></html>", Content_Type="text/html"),
    "nothing": says(200, b""),
    "no content": says(204, b""),
    "half an answer": says(200, b'{"data":{"amount":"500'),
    "an answer that breaks off": breaks_off,
    "no UTF-8": says(200, b"\xff\xfe\x00"),
    "a list": says(200, []),
    "a word": says(200, "50000.10"),
    "null": says(200, None),
    "lists where objects belong": says(200, {"error": [], "data": [], "result": [], "bitcoin": [], "last": []}),
    "nested without end": says(200, b"[" * 60_000),
    "more than a price can be": is_long,
    "a redirect": says(302, b"", Location="/elsewhere"),
    "packed": says(200, b"\x1f\x8b\x08\x00", Content_Encoding="gzip"),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_a_source_that_fails_or_answers_nonsense_has_no_quotes(exchanges, answer):
    exchanges.moods = dict.fromkeys(NAMES, BAD_ANSWERS[answer])
    assert ask_sources("USD") == {name: {} for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_source_that_fails_does_not_prevent_quotes_of_the_others(exchanges, name):
    exchanges.moods[name] = says(200, {"error": [], "data": [], "result": [], "bitcoin": [], "last": []})
    assert sources_of(ask_sources("USD")) == set(NAMES) - {name}


NO_PRICES = ["NaN", "Infinity", "-Infinity", "-50000", "0", "0.0", "0.0000000001", "1e30", "1e999999999999", "9" * 5000, f"0.{'1' * 1000}"]
NO_PRICES += ["true", "null", "[]", "{}", '""', '"abc"', '"NaN"', '"-1"', '"1e5"', '"5_0000"', '" 50000 "', '"٥٠٠٠٠"', f'"0.{"1" * 1000}"']


@pytest.mark.parametrize("price", NO_PRICES)
def test_an_invalid_price_is_left_out(exchanges, price):
    bodies = {
        "coinbase": f'{{"data": {{"amount": {price}, "base": "BTC", "currency": "USD"}}}}',
        "kraken": f'{{"error": [], "result": {{"XXBTZUSD": {{"c": [{price}, "0.1"]}}}}}}',
        "coingecko": f'{{"bitcoin": {{"usd": {price}}}, "litecoin": {{"usd": {price}}}, "ripple": {{"usd": {price}}}}}',
        "bitstamp": f'{{"last": {price}}}',
    }
    exchanges.moods = {name: says(200, body.encode()) for name, body in bodies.items()}

    assert ask_sources("USD") == {name: {} for name in NAMES}


NAMES_IN_ANSWERS = st.sampled_from(["data", "amount", "error", "result", "c", "bitcoin", "usd", "last", "timestamp", "last_updated_at"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES_IN_ANSWERS, inner, max_size=3),
)


@given(answer=JSON)
def test_any_json_is_read_as_a_valid_price_or_refused(answer):
    for source in KNOWN.values():
        try:
            quote = source().read(answer, "BTC", "USD")
        except UNREADABLE:
            continue
        assert 0 < quote.price <= 10**12


def test_a_redirect_of_a_source_is_not_followed(exchanges):
    """A redirect to another path of the same host is not followed either."""
    exchanges.moods["coinbase"] = says(301, b"", Location=f"{exchanges.address}/api/v2/ticker/btcusd/")
    exchanges.moods["bitstamp"] = says(307, b"", Location=f"{exchanges.address}/v2/prices/BTC-USD/spot")

    assert set(sources_of(ask_sources("USD"))) == {"kraken", "coingecko"}

    assert (len(exchanges.asked["coinbase"]), len(exchanges.asked["bitstamp"])) == (3, 3)


def sources_of(told):
    return {name for name, quotes in told.items() if quotes}


def test_all_sources_are_asked_concurrently(exchanges):
    """No source answers before all twelve requests have arrived."""
    together = threading.Barrier(len(NAMES) * len(COINS), timeout=60)

    def waits(handler):
        together.wait()
        tell(handler)

    exchanges.moods = dict.fromkeys(NAMES, waits)
    assert sources_of(ask_sources("USD")) == set(NAMES)


@pytest.fixture
def deadline_after(monkeypatch):
    """Let the time of all sources be over once so many questions have ended, however slow the machine is."""
    monkeypatch.setattr(sources_module, "DEADLINE", timedelta(minutes=10))
    begin, read = asyncio.timeout, sources_module._read
    timeouts, ended = [], []

    def remember(seconds):
        assert seconds == 600
        timeouts.append(begin(seconds))
        return timeouts[-1]

    def set_after(number):
        async def count(http, url):
            try:
                return await read(http, url)
            finally:
                ended.append(url)
                for timeout in timeouts if len(ended) == number else ():
                    with suppress(RuntimeError):  # its source has finished
                        timeout.reschedule(0)

        monkeypatch.setattr(sources_module, "_read", count)
        monkeypatch.setattr(asyncio, "timeout", remember)

    return set_after


@pytest.mark.parametrize("mood", [is_silent, drips])
def test_a_source_that_takes_too_long_does_not_prevent_quotes_of_the_others(exchanges, deadline_after, mood):
    deadline_after(len(NAMES) * len(COINS) - len(COINS))
    exchanges.moods["coinbase"] = mood
    assert sources_of(ask_sources("USD")) == OTHERS


def test_the_quotes_that_a_slow_source_gave_in_time_count(exchanges, deadline_after):
    deadline_after(len(NAMES) * len(COINS) - 1)
    exchanges.prices["coinbase"] = {"BTC": "50000.10", "XRP": "0.55"}
    exchanges.moods["coinbase"] = lambda handler: (is_silent if "XRP" in handler.path else tell)(handler)
    assert set(ask_sources("USD")["coinbase"]) == {"BTC"}


def test_an_unreachable_source_does_not_prevent_quotes_of_the_others(exchanges, settings):
    settings.RATE_SOURCES = ["coinbase=http://127.0.0.1:1", "kraken=http://nobody.invalid", *settings.RATE_SOURCES[2:]]
    assert sources_of(ask_sources("USD")) == {"coingecko", "bitstamp"}


def test_an_unknown_source_is_named_in_the_error(settings):
    settings.RATE_SOURCES = ["mtgox"]
    with pytest.raises(ImproperlyConfigured, match="mtgox"):
        sources()


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://x:y", "http://[", "http://x:99999"])
def test_an_invalid_address_of_a_source_is_refused(settings, address):
    settings.RATE_SOURCES = [f"kraken={address}"]
    with pytest.raises(ImproperlyConfigured, match="RATE_SOURCES must name addresses"):
        sources()
