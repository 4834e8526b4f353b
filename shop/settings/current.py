"""The shop's settings and the links to its content pages as they are now, without a query for each page of the shop.

Every process keeps them until their version changes.
"""

import logging
from dataclasses import dataclass
from uuid import UUID

from django.db import Error, connection
from django.urls import reverse
from pymongo.errors import PyMongoError

from cryptons.shop_identity import Identity
from shop.catalogue.version import settings_version
from shop.settings.models import ONLY, ContentPage, PageText, PageVersion, ShopSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedPage(PageText):
    """A link to a page that everybody may read."""

    slug: str
    version_id: UUID
    number: int
    in_footer: bool
    texts: dict[str, dict[str, str]]
    """The titles alone."""

    def get_absolute_url(self) -> str:
        return reverse("shop:page", args=[self.slug])


@dataclass(frozen=True)
class _Kept:
    version: str
    row: ShopSettings
    pages: tuple[PublishedPage, ...] = ()


_kept: _Kept | None = None


def current_settings() -> ShopSettings:
    """Return the row, which nobody may change; one of empty fields while there is none. During an outage the last one that was read."""
    return _current().row


def current_pages() -> tuple[PublishedPage, ...]:
    """Return the published pages in the order of the footer. During an outage those that were read last."""
    return _current().pages


def _current() -> _Kept:
    global _kept
    version = settings_version()
    kept = _kept
    if kept is not None and kept.version == version:
        return kept
    try:
        read = _Kept(version, stored_settings(), _read_pages())
    except (Error, PyMongoError) as error:  # the page that needs it is perhaps the one that tells of the outage
        logger.warning("The shop's settings cannot be read.", extra={"error": type(error).__name__})
        return kept or _Kept(version, ShopSettings())
    if not getattr(connection, "in_atomic_block_mongo", False):  # such a transaction sees rows of its beginning
        _kept = read
    return read


def _read_pages() -> tuple[PublishedPage, ...]:
    pages = list(ContentPage.objects.using("default").exclude(published=None).defer("texts"))
    versions = PageVersion.objects.using("default").filter(page__in=pages, number__in={page.published for page in pages}) if pages else ()
    shown = {(version.page_id, version.number): version for version in versions}
    return tuple(
        PublishedPage(page.slug, version.pk, version.number, page.in_footer, _titles(version.texts))
        for page in pages
        if (version := shown.get((page.pk, page.published or 0)))  # else it was published again between the queries, and is read again soon
    )


def _titles(texts: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {language: {"title": words["title"]} for language, words in texts.items()}


def find_published(slug: str) -> PageVersion | None:
    """Return what everybody may read at the address."""
    if "\0" in slug:  # which some databases refuse to be asked for
        return None
    row = ContentPage.objects.filter(slug=slug).exclude(published=None).first()
    return PageVersion.objects.filter(page=row.pk, number=row.published or 0).first() if row else None


def stored_settings() -> ShopSettings:
    return ShopSettings.objects.using("default").filter(pk=ONLY).first() or ShopSettings()


def keep_settings(row: ShopSettings | None) -> None:
    """Take the row as the one of the current version, without pages; None: read them when they are needed."""
    global _kept
    _kept = None if row is None else _Kept(settings_version(), row)


def read_identity() -> Identity:
    row = current_settings()
    return Identity(row.name, row.footer_of_mails)
