"""The forms of VAT ids. Whether an id was given to somebody only its country knows."""

import re

FORMS = {
    "AT": "U[0-9]{8}",
    "BE": "[01][0-9]{9}",
    "BG": "[0-9]{9,10}",
    "CY": "[0-9]{8}[A-Z]",
    "CZ": "[0-9]{8,10}",
    "DE": "[0-9]{9}",
    "DK": "[0-9]{8}",
    "EE": "[0-9]{9}",
    "EL": "[0-9]{9}",
    "ES": "[A-Z0-9][0-9]{7}[A-Z0-9]",
    "FI": "[0-9]{8}",
    "FR": "[A-Z0-9]{2}[0-9]{9}",
    "HR": "[0-9]{11}",
    "HU": "[0-9]{8}",
    "IE": "[0-9][A-Z0-9+*][0-9]{5}[A-Z]{1,2}",
    "IT": "[0-9]{11}",
    "LT": "([0-9]{9}|[0-9]{12})",
    "LU": "[0-9]{8}",
    "LV": "[0-9]{11}",
    "MT": "[0-9]{8}",
    "NL": "[A-Z0-9+*]{10}[0-9]{2}",
    "PL": "[0-9]{10}",
    "PT": "[0-9]{9}",
    "RO": "[0-9]{2,10}",
    "SE": "[0-9]{12}",
    "SI": "[0-9]{8}",
    "SK": "[0-9]{10}",
    "XI": "([0-9]{9}|[0-9]{12}|(GD|HA)[0-9]{3})",
}
"""What follows the two letters of a member of the EU. Source: the European Commission's VIES, question 11 of its answers."""


def compact_vat_id(text: str) -> str:
    """Return the id without spaces, dots and hyphens, in capitals."""
    return re.sub(r"[\s.\-]", "", text).upper()


def has_vat_form(vat_id: str) -> bool:
    """Return whether a compact id has its country's form. Of countries outside of the EU only that it begins with two letters."""
    form = FORMS.get(vat_id[:2], "[A-Z0-9]{2,18}")
    return vat_id[:2].isalpha() and vat_id.isascii() and re.fullmatch(form, vat_id[2:]) is not None
