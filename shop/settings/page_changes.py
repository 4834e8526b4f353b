"""Write the shop's content pages: drafts that only staff see, and versions that stay as they were published."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _

from cryptons.audit.writing import audit
from cryptons.db import in_transaction, update_if_unchanged
from shop.catalogue.version import settings_changed
from shop.settings.current import stored_settings
from shop.settings.models import ContentPage, PageVersion
from shop.settings.outlines import placeholders
from shop.settings.terms import TERMS

Texts = dict[str, dict[str, str]]
LONGEST_TITLE = 160
LONGEST_TEXT = 100_000


class PageMoved(Exception):
    """Somebody else changed the page since it was read. Read it again, and decide again."""

    def __str__(self) -> str:
        return _("Somebody else has changed the page in the meantime. Load it again and repeat your change.")


class PageRefused(Exception):
    """The page cannot be published, or not be hidden. The text says why."""


def clean_texts(texts: Mapping[str, Mapping[str, str]]) -> Texts:
    """Return the texts as they are stored, without languages that have neither title nor text."""
    cleaned = {
        language: {name: words.get(name, "").replace("\r\n", "\n").replace("\0", "").strip() for name in ("title", "text")}
        for language, words in texts.items()
    }
    return {language: words for language, words in cleaned.items() if any(words.values())}


def what_is_missing(texts: Texts) -> list[str]:
    """Return sentences that say why these texts cannot be published; none if they can."""
    first = settings.LANGUAGE_CODE
    missing = []
    if first not in texts:
        missing.append(_("The page has no text in the shop's first language, which is shown where another one is missing."))
    for language, words in texts.items():
        if language not in dict(settings.LANGUAGES):  # it was taken out of the shop: nobody sees it, and no form has it
            continue
        if not (words["title"] and words["text"]):
            missing.append(_("Title or text is missing in the language %(language)s.") % {"language": language})
        if left := placeholders(f"{words['title']} {words['text']}"):
            missing.append(_("Fill in what stands in double brackets: %(places)s") % {"places": ", ".join(left)})
    return missing


def add_page(values: Mapping[str, Any], *, pk: UUID) -> ContentPage:
    """Store a new page as a draft. Raises PageMoved if another one has its slug."""

    def write() -> ContentPage:
        row = ContentPage(pk=pk, **values)
        row.save(force_insert=True)
        audit("add", row, {name: ("", value) for name, value in values.items() if value})
        return row

    return _once(write)


def change_page(pk: UUID, values: Mapping[str, Any], *, version: int) -> ContentPage:
    """Change the draft and where the page stands. Raises PageMoved if the stored version is not `version` any more."""

    def write() -> ContentPage:
        row = _read(pk)
        if row.version != version:
            raise PageMoved
        changes = {name: (getattr(row, name), value) for name, value in values.items() if getattr(row, name) != value}
        if changes:
            _update(row, "change", changes)
        return row

    return _once(write)


def publish_page(pk: UUID, *, by: str, at: datetime) -> ContentPage:
    """Show the draft to everybody, as a new version unless the last one says the same. Raises PageRefused."""

    def write() -> ContentPage:
        row = _read(pk)
        if missing := what_is_missing(row.texts):
            raise PageRefused(" ".join(missing))
        last = row.versions.order_by("-number").first()
        number = last.number if last else 0
        if last is None or last.texts != row.texts:
            number += 1
            PageVersion(page=row, number=number, texts=row.texts, published_at=at, published_by=by).save(force_insert=True)
        if row.published != number:
            _update(row, "publish", {"published": (row.published or "", number)})
        return row

    return _once(write)


def why_not_hidden(slug: str) -> str:
    """Return a sentence that says why the page must stay in the shop; empty if it can be hidden."""
    if slug != TERMS or not stored_settings().asks_for_terms:
        return ""
    return _("Buyers must accept the terms, so they must be able to read them. Switch that off in the settings first.")


def hide_page(pk: UUID) -> ContentPage:
    """Take the page from the shop. Its versions stay. Raises PageRefused for terms that buyers must accept."""

    def write() -> ContentPage:
        row = _read(pk)
        if problem := why_not_hidden(row.slug):
            raise PageRefused(problem)
        if row.published:
            _update(row, "hide", {"published": (row.published, None)})
        return row

    return _once(write)


def restore_version(pk: UUID, number: int, *, version: int) -> ContentPage:
    """Make the words of a version the draft again. Raises PageMoved as change_page does, and PageVersion.DoesNotExist."""

    def write() -> ContentPage:
        row = _read(pk)
        if row.version != version:
            raise PageMoved
        texts = PageVersion.objects.get(page=pk, number=number).texts
        if row.texts != texts:
            _update(row, "restore", {"texts": (row.texts, texts)})
        return row

    return _once(write)


def _read(pk: UUID) -> ContentPage:
    row = ContentPage.objects.using("default").filter(pk=pk).first()
    if row is None:
        raise PageMoved
    return row


def _update(row: ContentPage, act: str, changes: Mapping[str, tuple[Any, Any]]) -> None:
    if not update_if_unchanged(row, **{name: new for name, (_old, new) in changes.items()}, updated_at=timezone.now()):
        raise PageMoved
    audit(act, row, changes)
    if "texts" not in changes or len(changes) > 1:  # of a draft nothing is shown
        settings_changed()


def _once(write: Callable[[], ContentPage]) -> ContentPage:
    try:
        return in_transaction(write)
    except IntegrityError as error:  # two wrote the same slug or version at once
        raise PageMoved from error
