"""Sources in their own formats, from a local server that plays them; outages, garbage and outliers among them."""

import asyncio
import threading
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cryptons.coins import COINS
from cryptons.money import Minor
from payments.errors import RateUnavailable
from payments.invoices.opening import draft_invoice, open_invoice, prepare_offer
from payments.models import Option, Rate
from payments.rates import sources as sources_module
from payments.rates.current import agree, current_rates, fresh_quotes, rate_for, rates_version, refresh_rates
from payments.rates.sources import KNOWN, UNREADABLE, Quote, ask_sources, sources
from payments.rates.tests.exchanges import NAMES, Exchanges, breaks_off, drips, is_long, is_silent, says, tell
from payments.tests.factories import NOW

OTHERS = {"kraken", "coingecko", "bitstamp"}


@pytest.fixture
def exchanges(settings):
    server = Exchanges()
    server.start()
    settings.FIXED_RATES = {}
    settings.RATE_SOURCES = [f"{name}={server.address}" for name in NAMES]
    yield server
    server.stop()


# --- Each source ----------------------------------------------------------------------------------------------------------


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
    "an error beside a result": says(
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
    together = threading.Barrier(len(NAMES) * len(COINS), timeout=10)

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


# --- What is made of them -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_median_is_stored_with_its_sources(exchanges):
    for name, price in zip(NAMES, ("50000", "50100", "50200", "50300.5"), strict=True):
        exchanges.prices[name] = {"BTC": price}
    now = timezone.now().replace(microsecond=0)

    assert refresh_rates(at=now) == {"BTC"}

    rate = rate_for("BTC", at=now)
    assert rate.minor_per_coin == Decimal(5_015_000)
    assert rate.sources == {"coinbase": "50000", "kraken": "50100", "coingecko": "50200", "bitstamp": "50300.5"}


@pytest.mark.django_db
def test_an_option_stores_the_rate_and_its_sources(exchanges):
    exchanges.prices["coinbase"] = {"BTC": "50000.40"}
    now = timezone.now().replace(microsecond=0)
    exchanges.quoted_at = dict.fromkeys(NAMES, int(now.timestamp()))
    refresh_rates(at=now)

    offer = prepare_offer("BTC", Minor(10_000), label="order_X", at=now + timedelta(minutes=5))
    open_invoice(draft_invoice([offer], subject_id=NO_SUBJECT, label="order_X", price=Minor(10_000), at=now))

    option = Option.objects.get()
    assert option.rate_sources == {"coinbase": "50000.40", "kraken": "50000.10", "coingecko": "50000.10", "bitstamp": "50000.10"}
    assert (option.minor_per_coin, option.quoted_at) == (Decimal(5_000_010), now)


NO_SUBJECT = "00000000-0000-7000-8000-000000000000"


@pytest.mark.django_db
def test_an_outlying_source_is_neither_used_nor_stored(exchanges):
    exchanges.prices["bitstamp"] = {"BTC": "51100"}
    refresh_rates(at=timezone.now())
    assert set(current_rates()["BTC"].sources) == {"coinbase", "kraken", "coingecko"}


@pytest.mark.django_db
def test_one_source_alone_makes_no_rate(exchanges):
    exchanges.moods = dict.fromkeys(OTHERS, says(503, b""))
    assert refresh_rates(at=timezone.now()) == set()
    with pytest.raises(RateUnavailable):
        rate_for("BTC", at=timezone.now())


@pytest.mark.django_db
def test_two_sources_that_agree_are_enough(exchanges):
    exchanges.moods = dict.fromkeys(("coinbase", "kraken"), says(503, b""))
    assert refresh_rates(at=timezone.now()) == {"BTC"}


@pytest.mark.django_db
@pytest.mark.parametrize("minutes", [11, -11])
def test_an_outdated_or_future_quote_is_dropped(exchanges, minutes):
    """With a quote from the future, one of the clocks is wrong."""
    now = timezone.now()
    exchanges.quoted_at.update(dict.fromkeys(("coingecko", "bitstamp"), int((now - timedelta(minutes=minutes)).timestamp())))
    refresh_rates(at=now)
    assert set(current_rates()["BTC"].sources) == {"coinbase", "kraken"}


def test_a_quote_is_fresh_for_five_minutes():
    quotes = {"a": Quote(Decimal(1), NOW - timedelta(minutes=5)), "b": Quote(Decimal(2), NOW - timedelta(minutes=5, seconds=1))}
    assert set(fresh_quotes(quotes, at=NOW)) == {"a"}


@pytest.mark.django_db
def test_a_rate_is_as_old_as_its_oldest_quote(exchanges):
    now = timezone.now().replace(microsecond=0)
    exchanges.quoted_at["bitstamp"] = int((now - timedelta(minutes=4)).timestamp())
    refresh_rates(at=now)
    assert rate_for("BTC", at=now + timedelta(minutes=6)).quoted_at == now - timedelta(minutes=4)
    with pytest.raises(RateUnavailable):
        rate_for("BTC", at=now + timedelta(minutes=6, seconds=1))


@pytest.mark.django_db
@pytest.mark.parametrize("minutes", [11, -11])
def test_an_outdated_rate_is_unavailable_until_it_is_refreshed(exchanges, minutes):
    now = timezone.now().replace(microsecond=0)
    exchanges.quoted_at = dict.fromkeys(NAMES, int(now.timestamp()))
    refresh_rates(at=now)
    Rate.objects.update(quoted_at=now - timedelta(minutes=minutes))
    with pytest.raises(RateUnavailable, match=r"There is no current price of BTC\. Please try again in a few minutes"):
        rate_for("BTC", at=now)
    refresh_rates(at=now)
    assert rate_for("BTC", at=now).quoted_at == now


@pytest.mark.django_db
def test_no_offer_is_made_after_ten_minutes_without_agreeing_sources(exchanges):
    """The last rate is used for ten minutes."""
    begin = timezone.now().replace(microsecond=0)
    exchanges.quoted_at = dict.fromkeys(NAMES, int(begin.timestamp()))
    refresh_rates(at=begin)
    exchanges.moods = dict.fromkeys(NAMES, says(503, b""))

    assert refresh_rates(at=begin + timedelta(minutes=9)) == set()
    assert prepare_offer("BTC", Minor(10_000), label="x", at=begin + timedelta(minutes=9)).quoted_at == begin
    assert refresh_rates(at=begin + timedelta(minutes=11)) == set()
    with pytest.raises(RateUnavailable):
        prepare_offer("BTC", Minor(10_000), label="x", at=begin + timedelta(minutes=11))

    exchanges.moods.clear()
    exchanges.quoted_at.update(dict.fromkeys(NAMES, int((begin + timedelta(minutes=12)).timestamp())))
    refresh_rates(at=begin + timedelta(minutes=12))
    assert prepare_offer("BTC", Minor(10_000), label="x", at=begin + timedelta(minutes=12)).due_base > 0


@pytest.mark.django_db
def test_a_coin_without_a_rate_does_not_prevent_rates_of_the_others(exchanges):
    exchanges.all_tell("0.55", coin="XRP")
    exchanges.prices["coinbase"]["BTC"] = exchanges.prices["kraken"]["BTC"] = "60000"
    assert refresh_rates(at=timezone.now()) == {"XRP"}


@pytest.mark.django_db
def test_the_version_of_the_rates_changes_only_with_the_rates(exchanges):
    refresh_rates(at=timezone.now())
    first = rates_version()
    refresh_rates(at=timezone.now())
    assert rates_version() == first
    exchanges.all_tell("51000")
    refresh_rates(at=timezone.now())
    assert rates_version() != first


@pytest.mark.django_db
def test_the_current_rates_are_cached(exchanges, django_assert_num_queries):
    refresh_rates(at=timezone.now())
    with django_assert_num_queries(0):
        current_rates()


def test_an_outlier_is_dropped_from_the_median():
    quotes = {"a": Decimal(100), "b": Decimal(101), "c": Decimal(150)}
    assert agree(quotes) == (Decimal("100.5"), {"a": Decimal(100), "b": Decimal(101)})


def test_a_quote_is_an_outlier_above_two_percent():
    near = {"a": Decimal(98), "b": Decimal(100), "c": Decimal(102)}
    assert agree(near) == (Decimal(100), near)
    far = {"a": Decimal("97.99"), "b": Decimal(100), "c": Decimal("102.01")}
    assert agree(far) is None


def test_two_sources_that_disagree_make_no_rate():
    assert agree({"a": Decimal(100), "b": Decimal(110)}) is None


def test_two_pairs_of_sources_that_disagree_make_no_rate():
    assert agree({"a": Decimal(100), "b": Decimal(100), "c": Decimal(110), "d": Decimal(110)}) is None


@given(st.dictionaries(st.text(max_size=3), st.decimals("0.000001", 10**12), max_size=6))
def test_the_agreed_price_lies_between_the_used_quotes(quotes):
    agreed = agree(quotes)
    if agreed is None:
        return
    price, used = agreed
    assert len(used) >= 2
    assert min(used.values()) <= price <= max(used.values())
    assert used.items() <= quotes.items()


def test_fixed_rates_are_always_fresh():
    assert rate_for("XRP", at=timezone.now()).minor_per_coin == 55
    assert set(current_rates()) == {"BTC", "LTC", "XRP"}


@pytest.mark.django_db
def test_no_source_is_asked_with_fixed_rates(exchanges, settings):
    settings.FIXED_RATES = {"BTC": Decimal(1)}
    assert refresh_rates(at=timezone.now()) == set()
    assert not exchanges.asked


def test_an_unknown_source_is_named_in_the_error(settings):
    settings.RATE_SOURCES = ["mtgox"]
    with pytest.raises(ImproperlyConfigured, match="mtgox"):
        sources()


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://x:y", "http://[", "http://x:99999"])
def test_an_invalid_address_of_a_source_is_refused(settings, address):
    settings.RATE_SOURCES = [f"kraken={address}"]
    with pytest.raises(ImproperlyConfigured, match="RATE_SOURCES must name addresses"):
        sources()
