"""The cache of products as the API shows them: JSON under `product:{id}` in Redis, shared by all servers. Unused without Redis."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson
from django.core.cache import caches

from shop.catalogue.version import category_version, product_version

SECONDS = 3600
FORMAT = 2
"""Raised when the API says more or other things of a product."""


def key(product_id: UUID) -> str:
    return f"product:{product_id}"


def version(product_id: UUID) -> str:
    """Return the version of what the API says of a product: its own, and that of the tree from which its category comes."""
    return f"{FORMAT}.{category_version()}.{product_version(str(product_id))}"


def read(product_id: UUID) -> dict[str, Any] | None:
    """Return the cached product, unless it has changed since: it may be from an older row."""
    kept: dict[str, Any] | None = caches["products"].get(key(product_id))
    return kept["product"] if kept and kept["version"] == version(product_id) else None


def keep(product_id: UUID, shown: dict[str, Any], *, version: str) -> None:
    """Cache a product. `version` was read before the row."""
    plain = orjson.loads(orjson.dumps(shown))  # ids and times written as everywhere in the API
    caches["products"].set(key(product_id), {"version": version, "product": plain}, timeout=SECONDS)


def forget(ids: Iterable[UUID]) -> None:
    caches["products"].delete_many([key(product_id) for product_id in ids])
