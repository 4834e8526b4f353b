"""The rate that is made of the quotes of several sources."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cryptons.money import Minor
from payments.errors import RateUnavailable
from payments.invoices.opening import draft_invoice, open_invoice, prepare_offer
from payments.models import Option, Rate
from payments.rates.current import agree, current_rates, fresh_quotes, rate_for, rates_version, refresh_rates
from payments.rates.sources import Quote
from payments.rates.tests.exchanges import NAMES, says
from payments.tests.factories import NOW


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
def test_a_shop_with_another_currency_does_not_read_the_rates_of_the_old_one(exchanges, settings):
    refresh_rates(at=timezone.now())
    assert "BTC" in current_rates()

    settings.CURRENCY = "EUR"

    assert current_rates() == {}


@pytest.mark.django_db
def test_one_source_alone_makes_no_rate(exchanges):
    exchanges.moods = dict.fromkeys(set(NAMES) - {"coinbase"}, says(503, b""))
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
