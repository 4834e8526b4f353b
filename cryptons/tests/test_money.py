from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptons.money import base_to_fiat, fiat_to_base, format_coin, format_fiat, least_payable, limit_to_minor, parse_coin, parse_fiat

rates = st.decimals("0.01", "100000000", places=4)
networks = st.sampled_from(["BTC", "BTC-LN", "LTC", "XRP"])


def test_an_amount_due_is_rounded_up_to_the_base_unit():
    assert fiat_to_base(1, minor_per_coin=Decimal(6_500_000), network="BTC") == 16
    assert fiat_to_base(6_500_000, minor_per_coin=Decimal(6_500_000), network="BTC") == 100_000_000


@pytest.mark.parametrize(("network", "least"), [("BTC", 547), ("LTC", 5_461), ("BTC-LN", 2_000), ("XRP", 11)])
def test_the_least_that_is_asked_for_is_more_than_dust_and_whole_satoshis_over_lightning(network, least):
    assert least_payable(network) == least


@pytest.mark.parametrize(
    ("limit", "currency", "minor"),
    [("0.50", "JPY", 0), ("1.99", "JPY", 1), ("0.005", "USD", 0), ("1.00", "USD", 100), ("0.0019", "KWD", 1)],
)
def test_a_limit_finer_than_the_currency_is_rounded_down(limit, currency, minor):
    assert limit_to_minor(Decimal(limit), currency) == minor


@given(st.integers(1, 10**13), rates, networks)
def test_the_amount_due_is_the_smallest_one_that_covers_the_price(price, rate, network):
    due = fiat_to_base(price, minor_per_coin=rate, network=network)
    assert base_to_fiat(due, minor_per_coin=rate, network=network) >= price
    assert base_to_fiat(due - 1, minor_per_coin=rate, network=network) < price


def test_the_fiat_value_of_coins_is_exact():
    assert base_to_fiat(1, minor_per_coin=Decimal("0.1"), network="BTC") == Fraction(1, 10**9)


@given(st.integers(-(10**15), 10**15), st.sampled_from(["USD", "JPY", "KWD"]))
def test_a_formatted_fiat_amount_is_parsed_to_the_same_amount(amount, currency):
    assert parse_fiat(format_fiat(amount, currency), currency) == amount


@given(st.integers(0, 10**18), networks)
def test_a_formatted_coin_amount_is_parsed_to_the_same_amount(amount, network):
    assert parse_coin(format_coin(amount, network), network) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "expected"), [(1999, "USD", "19.99"), (5, "EUR", "0.05"), (1999, "JPY", "1999"), (1999, "KWD", "1.999")]
)
def test_fiat_is_formatted_with_the_decimals_of_its_currency(amount, currency, expected):
    assert format_fiat(amount, currency) == expected


@pytest.mark.parametrize("text", ["", "abc", "1.999", "NaN", "Infinity", "1e30", "1,50", "0x10"])
def test_text_that_is_not_an_amount_is_refused(text):
    with pytest.raises(ValueError):
        parse_fiat(text, "USD")


def test_a_coin_amount_finer_than_the_base_unit_is_refused():
    with pytest.raises(ValueError):
        parse_coin("0.000000001", "BTC")


def test_coin_amounts_are_never_formatted_with_an_exponent():
    assert format_coin(1, "BTC-LN") == "0.00000000001"
