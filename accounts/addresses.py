"""The shape of a shipping address, the same in accounts, checkout and API."""

import unicodedata
from typing import Any

import pycountry
from babel import Locale
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.plain_text import text_problem

LENGTHS = {"name": 100, "street": 120, "street2": 120, "city": 80, "region": 80, "postalCode": 20}
NEEDED = ("name", "street", "city", "postalCode", "country")

COUNTRIES: dict[str, str] = dict(
    sorted(((country.alpha_2, getattr(country, "common_name", country.name)) for country in pycountry.countries), key=lambda pair: pair[1])
)
"""ISO 3166-1 alpha-2 code → English name, by name."""


def address_problems(address: Any) -> dict[str, str]:
    """Return a sentence for each field that is wrong; an empty dict if the address can be used."""
    if not isinstance(address, dict):
        return {"": _("Must be an object.")}
    problems = {str(name): _("There is no such field.") for name in address if name not in LENGTHS and name != "country"}
    for name, most in LENGTHS.items():
        value = address.get(name, "")
        if not isinstance(value, str):
            problems[name] = _("Must be text.")
        elif problem := text_problem(value):
            problems[name] = problem
        elif name in NEEDED and not value.strip():
            problems[name] = _("This field is required.")
        elif len(value) > most:
            problems[name] = _("At most %(count)s characters.") % {"count": most}
    country = address.get("country", "")
    if not country:
        problems["country"] = _("This field is required.")
    elif not isinstance(country, str) or country not in COUNTRIES:
        problems["country"] = _("Must be a country's two-letter code (ISO 3166-1 alpha-2).")
    return problems


def validate_address(address: Any) -> None:
    """Raise ValidationError for an address that cannot be used; an account may also have none."""
    if address and (problems := address_problems(address)):
        raise ValidationError([f"{name}: {problem}" if name else problem for name, problem in problems.items()])


def clean_address(address: dict[str, str]) -> dict[str, str]:
    """Return the known fields that are not empty, trimmed."""
    return {name: address[name].strip() for name in (*LENGTHS, "country") if address.get(name, "").strip()}


def country_name(code: str) -> str:
    """Return the country's name in the active language."""
    english = COUNTRIES.get(code, code)
    language = get_language() or settings.LANGUAGE_CODE
    return english if language == "en" else Locale.parse(language, sep="-").territories.get(code, english)


def countries() -> list[tuple[str, str]]:
    """List all countries as (code, name), by name in the active language, accents aside."""
    return sorted(((code, country_name(code)) for code in COUNTRIES), key=lambda country: unicodedata.normalize("NFKD", country[1]))
