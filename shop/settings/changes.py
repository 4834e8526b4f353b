"""Change the shop's settings: at once in all processes, told to the audit log, and never over somebody else's change."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cryptons.audit.writing import audit
from cryptons.db import in_transaction, update_if_unchanged
from cryptons.email_domain import readable_email, validate_mail_address
from shop.catalogue.version import settings_changed
from shop.settings.colours import DARK, HEX, LEAST_CONTRAST, LIGHT, least_contrast, readable
from shop.settings.current import find_published, stored_settings
from shop.settings.models import ShopSettings
from shop.settings.pictures import delete_unused
from shop.settings.terms import TERMS
from shop.settings.vat_ids import compact_vat_id, has_vat_form

LONGEST_TITLE = 100
LONGEST_TEXT = 2000
ONE_LINE = gettext_lazy("Must be one line without control characters.")
"""The name stands in the headers of mails."""


class SettingsMoved(Exception):
    """Somebody else changed the settings since they were read. Read them again, and decide again."""

    def __str__(self) -> str:
        return _("Somebody else has changed the settings in the meantime. Load them again and repeat your change.")


def clean(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values as they are stored, and by field what is wrong with them."""
    cleaned = {name: value.replace("\r\n", "\n").strip() if isinstance(value, str) else value for name, value in values.items()}
    problems = {}
    for field in ("name", "phone", "company", "register"):
        if not str(values.get(field, "")).isprintable():
            problems[field] = str(ONE_LINE)
    for field, backgrounds, towards in (("accent", LIGHT, "#000000"), ("accent_dark", DARK, "#ffffff")):
        if colour := str(values.get(field, "")).strip().lower():
            cleaned[field] = colour
            if problem := _colour_problem(colour, backgrounds, towards):
                problems[field] = problem
    if vat_id := compact_vat_id(values.get("vat_id", "")):
        cleaned["vat_id"] = vat_id
        if not has_vat_form(vat_id):
            problems["vat_id"] = _("This is not a VAT id: two letters for the country, then its number, such as DE123456789.")
    if email := values.get("email", ""):
        try:
            validate_mail_address(email)
            cleaned["email"] = readable_email(email)
        except ValidationError as error:
            problems["email"] = error.messages[0]
    if values.get("asks_for_terms") and find_published(TERMS) is None:
        problems["asks_for_terms"] = _("Publish the page of the terms first: buyers could not read what they accept.")
    for field, longest in (("home_title", LONGEST_TITLE), ("home_text", LONGEST_TEXT), ("mail_footer", LONGEST_TEXT)):
        texts = {language: text.replace("\r\n", "\n").strip() for language, text in values.get(field, {}).items() if text.strip()}
        if field in values:
            cleaned[field] = texts
        if unknown := sorted(set(texts) - set(dict(settings.LANGUAGES))):
            problems[field] = _("The shop does not have the language %(language)s.") % {"language": unknown[0]}
        elif any(len(text) > longest for text in texts.values()):
            problems[field] = _("Must have at most %(count)s characters.") % {"count": longest}
        elif field == "home_title" and not "".join(texts.values()).isprintable():
            problems[field] = str(ONE_LINE)
    return cleaned, problems


def _colour_problem(colour: str, backgrounds: tuple[str, ...], towards: str) -> str:
    if not HEX.fullmatch(colour):
        return _("Write the colour as # and six digits or letters from a to f, such as #0d5c52.")
    ratio = least_contrast(colour, backgrounds)
    if ratio >= LEAST_CONTRAST:
        return ""
    return _(
        "Links and buttons in this colour could not be read: its contrast to the background is %(ratio)s, and must be "
        "%(least)s or more. The nearest colour that can be read is %(colour)s."
    ) % {"ratio": ratio, "least": LEAST_CONTRAST, "colour": readable(colour, backgrounds, towards=towards)}


def change_settings(values: Mapping[str, Any], *, version: int | None = None) -> ShopSettings:
    """Store clean values, and return the row. Raises SettingsMoved if the stored version is not `version` any more."""
    try:
        return in_transaction(lambda: _write(values, version))
    except IntegrityError as error:  # two wrote the first row at once
        raise SettingsMoved from error


def _write(values: Mapping[str, Any], version: int | None) -> ShopSettings:
    row = stored_settings()
    before = {name: getattr(row, name) for name in values}
    changes = {name: (old, values[name]) for name, old in before.items() if old != values[name]}
    if version is not None and row.version != version:
        raise SettingsMoved
    if not changes:
        return row
    is_new = row._state.adding
    if is_new:
        row = ShopSettings(**values, version=1)
        row.save(force_insert=True)
    elif not update_if_unchanged(row, **values, updated_at=timezone.now()):
        raise SettingsMoved
    audit("add" if is_new else "change", row, changes)
    settings_changed()
    delete_unused([before[name] for name in ("logo", "favicon") if name in changes])
    return row
