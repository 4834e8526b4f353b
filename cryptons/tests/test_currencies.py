import runpy

import pycountry
import pytest
from django.core.exceptions import ImproperlyConfigured

from cryptons.currencies import MINOR_DIGITS
from cryptons.money import format_fiat, minor_digits, parse_fiat
from cryptons.tests.test_environment import ROOT

WITHOUT_A_UNIT = {"XAD", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"}


def test_every_currency_of_iso_4217_is_known_except_metals_and_units_of_account():
    assert set(MINOR_DIGITS) == {currency.alpha_3 for currency in pycountry.currencies} - WITHOUT_A_UNIT


@pytest.mark.parametrize(
    ("digits", "codes"),
    [
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    ],
)
def test_the_currencies_without_two_decimals_are_those_of_iso_4217(digits, codes):
    assert {code for code in MINOR_DIGITS if minor_digits(code) == digits} == set(codes.split())


@pytest.mark.parametrize(("currency", "minor"), [("UGX", 5000), ("LYD", 5_000_000), ("CLF", 50_000_000), ("AFN", 500_000)])
def test_amounts_are_read_and_written_with_the_decimals_of_their_currency(currency, minor):
    assert parse_fiat("5000", currency) == minor
    assert parse_fiat(format_fiat(minor, currency), currency) == minor


@pytest.mark.parametrize("currency", ["ZZZ", "EURO", "XXX", "XTS", "XAU", "DEM", "é€$", "BTC"])
def test_a_currency_that_is_none_stops_the_start(currency, monkeypatch):
    monkeypatch.setenv("CURRENCY", currency)
    with pytest.raises(ImproperlyConfigured, match=r"^CURRENCY must be an ISO 4217 code such as USD or EUR, not "):
        runpy.run_path(str(ROOT / "cryptons" / "settings.py"))
