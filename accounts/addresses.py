"""Where parcels go: one shape of address for accounts, checkout and API."""

from typing import Any

import pycountry

LENGTHS = {"name": 100, "street": 120, "street2": 120, "city": 80, "region": 80, "postalCode": 20}
NEEDED = ("name", "street", "city", "postalCode", "country")

COUNTRIES: dict[str, str] = dict(
    sorted(((country.alpha_2, getattr(country, "common_name", country.name)) for country in pycountry.countries), key=lambda pair: pair[1])
)
"""ISO 3166-1 alpha-2 code → English name, by name."""


def address_problems(address: Any) -> dict[str, str]:
    """What is wrong with each field, in words; empty when it can be used."""
    if not isinstance(address, dict):
        return {"": "Must be an object."}
    problems = {str(name): "There is no such field." for name in address if name not in LENGTHS and name != "country"}
    for name, most in LENGTHS.items():
        value = address.get(name, "")
        if not isinstance(value, str) or not _is_plain(value):
            problems[name] = "Must be text."
        elif name in NEEDED and not value.strip():
            problems[name] = "This field is required."
        elif len(value) > most:
            problems[name] = f"At most {most} characters."
    country = address.get("country", "")
    if not country:
        problems["country"] = "This field is required."
    elif not isinstance(country, str) or country not in COUNTRIES:
        problems["country"] = "Must be a country's two-letter code (ISO 3166-1 alpha-2)."
    return problems


def _is_plain(text: str) -> bool:
    """Neither NUL nor half a surrogate pair: databases and mails choke on them."""
    return "\x00" not in text and not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)


def clean_address(address: dict[str, str]) -> dict[str, str]:
    """The known fields that hold something, trimmed."""
    return {name: address[name].strip() for name in (*LENGTHS, "country") if address.get(name, "").strip()}


def country_name(code: str) -> str:
    return COUNTRIES.get(code, code)
