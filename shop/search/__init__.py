"""Finding products. The engine answers while it can, the database when it cannot: nobody is told that search is away.

Who changes products calls `shop.search.indexing.product_changed`.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from cryptons.replica import read_replica
from shop.models import Product
from shop.search.base import Engine, Entry, Facets, PriceRange, Query, Result, SearchUnavailable, read_entries
from shop.search.database_engine import DatabaseEngine
from shop.search.tantivy_engine import TantivyEngine

__all__ = [
    "Entry",
    "Facets",
    "PriceRange",
    "Query",
    "Result",
    "Suggestion",
    "engine",
    "index_products",
    "remove_products",
    "search",
    "suggest",
]

logger = logging.getLogger(__name__)


def _chosen_engine() -> Engine:
    if not settings.ELASTICSEARCH_URL:
        return TantivyEngine()
    from shop.search.elasticsearch_engine import ElasticsearchEngine

    return ElasticsearchEngine()


engine = _chosen_engine()
_database = DatabaseEngine()


@dataclass(frozen=True)
class Suggestion:
    id: UUID
    name: str
    slug: str


def search(query: Query) -> Result:
    """Ids in their order; `engine` is "database" when the engine could not answer."""
    try:
        return engine.search(query)
    except SearchUnavailable as error:
        logger.warning("The search engine is away: the database answers.", extra={"error": str(error)})
        return _database.search(query)


def suggest(text: str, limit: int = 8) -> list[Suggestion]:
    """What somebody who typed this far may mean; the best first."""
    if not text.strip():
        return []
    ids = search(Query(text=text, limit=limit)).ids
    found = read_replica(
        lambda database: list(Product.objects.using(database).listed().filter(pk__in=ids).values_list("pk", "name", "slug"))
    )
    rows = {row[0]: Suggestion(*row) for row in found}
    return [rows[product_id] for product_id in ids if product_id in rows]


def index_products(ids: Collection[UUID]) -> None:
    """Bring the index in line with these rows as they are now: what is gone or unlisted leaves it. Raises IndexBusy, SearchUnavailable."""
    listed = list(Product.objects.listed().filter(pk__in=ids))
    engine.write(read_entries(listed), gone=set(ids) - {product.pk for product in listed})


def remove_products(ids: Collection[UUID]) -> None:
    """Raises IndexBusy, SearchUnavailable."""
    engine.write([], gone=ids)
