"""The shop's settings as they are now, without a query for each page: every process keeps them until their version changes."""

import logging
from dataclasses import dataclass

from django.db import Error, connection
from pymongo.errors import PyMongoError

from cryptons.shop_identity import Identity
from shop.catalogue.version import settings_version
from shop.settings.models import ONLY, ShopSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Kept:
    version: str
    row: ShopSettings


_kept: _Kept | None = None


def current_settings() -> ShopSettings:
    """Return the row, which nobody may change; one of empty fields while there is none. During an outage the last one that was read."""
    global _kept
    version = settings_version()
    kept = _kept
    if kept is not None and kept.version == version:
        return kept.row
    try:
        row = stored_settings()
    except (Error, PyMongoError) as error:  # the page that needs it is perhaps the one that tells of the outage
        logger.warning("The shop's settings cannot be read.", extra={"error": type(error).__name__})
        return kept.row if kept else ShopSettings()
    if not getattr(connection, "in_atomic_block_mongo", False):  # such a transaction sees rows of its beginning
        _kept = _Kept(version, row)
    return row


def stored_settings() -> ShopSettings:
    return ShopSettings.objects.using("default").filter(pk=ONLY).first() or ShopSettings()


def keep_settings(row: ShopSettings | None) -> None:
    """Take the row as the one of the current version; None: read it when it is needed."""
    global _kept
    _kept = None if row is None else _Kept(settings_version(), row)


def read_identity() -> Identity:
    row = current_settings()
    return Identity(row.name, row.footer_of_mails)
