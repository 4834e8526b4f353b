"""Renew public pages and the search index after a change. Code that writes a product or category must call these functions."""

from collections.abc import Callable, Iterable
from uuid import UUID

from django.utils import timezone

from cryptons.celery import enqueue
from cryptons.chunks import chunks
from cryptons.db import on_commit
from shop.catalogue import product_cache
from shop.catalogue.category_tree import CategoryTree
from shop.catalogue.version import catalogue_changed, tell_what_is_owed
from shop.models import Category, Product
from shop.search import indexing
from shop.search.tasks import index_products


def product_changed(ids: Iterable[UUID]) -> None:
    """Renew public pages and the search index after the commit. Call it for each save, deletion, listing, sale and picture."""
    changed = list(ids)
    catalogue_changed()
    if changed:
        on_commit(lambda: product_cache.forget(changed))
        on_commit(lambda: _enqueue([str(product_id) for product_id in changed]))


def category_changed(category: Category) -> None:
    """Mark the category's products as changed, because the search finds them by its name and its parents' names: the sweep indexes them."""
    below = CategoryTree(Category.objects.all()).ids_below(category)
    Product.objects.filter(category_id__in=below).update(updated_at=timezone.now())
    catalogue_changed()


def _enqueue(ids: list[str]) -> None:
    for batch in chunks(ids):
        enqueue(index_products, batch)


def sweep_search() -> int:
    """Bring the index up to date, and public pages with it. Returns how many products were behind. Raises IndexBusy, SearchUnavailable."""
    tell_what_is_owed()
    behind = indexing.sweep()
    if behind:
        catalogue_changed()
    return behind


def rebuild_search(progress: Callable[[int], None] | None = None) -> int:
    """Build the index from all listed products and renew public pages. Returns how many products. Raises IndexBusy, SearchUnavailable."""
    count = indexing.rebuild(progress)
    catalogue_changed()
    return count
