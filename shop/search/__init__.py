"""Find products. The search engine answers if it can, else the database: shoppers never see that the engine is away."""

import logging
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from cryptons.replica import read_replica
from shop.models import Product
from shop.search.base import Engine, Entry, Facets, PriceRange, Query, Result, SearchUnavailable
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
    """Return product ids in their order; `engine` is "database" when the search engine could not answer."""
    try:
        return engine.search(query)
    except SearchUnavailable as error:
        logger.warning("The search engine does not answer: the database answers instead.", extra={"error": str(error)})
        return _database.search(query)


def suggest(text: str, limit: int = 8) -> list[Suggestion]:
    """Return the products that best match a partly typed query, the best first."""
    if not text.strip():
        return []
    ids = search(Query(text=text, limit=limit)).ids
    values = read_replica(
        lambda database: list(Product.objects.using(database).listed().filter(pk__in=ids).values_list("pk", "name", "slug"))
    )
    rows = {row[0]: Suggestion(*row) for row in values}
    return [rows[product_id] for product_id in ids if product_id in rows]
