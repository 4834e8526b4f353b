"""What an address needs is a matter of its country."""

import pytest

from accounts.addresses import COUNTRIES, address_problems, clean_address, countries, country_rules
from accounts.forms import AddressForm

ADDRESS = {"name": "Ada Buyer", "street": "1 Test Road", "city": "Testing"}


def at(country: str, **fields: str) -> dict[str, str]:
    return ADDRESS | {"country": country} | fields


@pytest.mark.parametrize(
    "address",
    [
        at("HK", city="Hong Kong"),
        at("AE", city="Dubai"),
        at("QA", city="Doha"),
        at("PA", city="Panama"),
        at("IE", city="Dublin"),
        at("IE", city="Dublin", postalCode="d02 x285"),
        at("XK", city="Pristina"),
        at("XK", city="Pristina", postalCode="10000"),
        at("AQ"),
        at("GB", city="London", postalCode="sw1a 1aa"),
        at("NL", city="Utrecht", postalCode="3511LN"),
        at("US", city="Austin", postalCode="78701", region="TX"),
        at("US", city="Austin", postalCode="78701-1234", region="texas"),
        at("CA", city="Québec", postalCode="G1R 4P5", region="Québec"),
        at("JP", city="渋谷区", postalCode="150-0002", region="東京都"),
    ],
)
def test_an_address_that_is_good_in_its_country_has_no_problem(address: dict[str, str]):
    assert address_problems(address) == {}


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        (at("DE"), {"postalCode"}),
        (at("DE", postalCode="5066"), {"postalCode"}),
        (at("DE", postalCode="50667 Köln"), {"postalCode"}),
        (at("GB", postalCode="12345"), {"postalCode"}),
        (at("XK", postalCode="1"), {"postalCode"}),
        (at("US", postalCode="78701"), {"region"}),
        (at("US", postalCode="78701", region="Bavaria"), {"region"}),
        (at("US"), {"postalCode", "region"}),
        (at("AU", postalCode="2060", region="  "), {"region"}),
        (at("JP", postalCode="150-0002"), {"region"}),
        (at("XX", postalCode="1"), {"country"}),
        (at("US", postalCode=5, region=None), {"postalCode", "region"}),  # type: ignore[arg-type]
    ],
)
def test_what_an_address_lacks_in_its_country_is_said_at_the_field(address: dict[str, str], wrong: set[str]):
    assert set(address_problems(address)) == wrong


def test_a_wrong_postal_code_is_answered_with_an_example_from_its_country():
    assert address_problems(at("NL", postalCode="12"))["postalCode"] == "In this country it is written like this: 1234 AB."


def test_states_are_kept_as_their_code_and_postal_codes_in_capitals():
    assert clean_address(at("US", postalCode="78701", region=" texas "))["region"] == "TX"
    assert clean_address(at("CA", postalCode="g1r 4p5", region="Quebec")) == at("CA", postalCode="G1R 4P5", region="QC")
    assert clean_address(at("DE", postalCode="50667", region="Nordrhein-Westfalen"))["region"] == "Nordrhein-Westfalen"


def test_each_country_has_rules_and_a_name_and_kosovo_is_among_them():
    assert ("XK", "Kosovo") in countries()
    for country in COUNTRIES:
        rules = country_rules(country)
        assert rules.postal_code is None or rules.example, country
        assert rules.example == "" or rules.postal_code is None or rules.postal_code.fullmatch(rules.example), country


def test_the_form_asks_for_a_postal_code_only_where_there_are_some():
    assert AddressForm(at("HK", city="Hong Kong")).is_valid()
    form = AddressForm(at("US", postalCode="78701"))
    assert form.errors == {"region": ["This field is required."]}
