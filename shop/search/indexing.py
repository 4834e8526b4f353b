"""Keeping the index in step with the rows: by a task after each change, and by a sweep that finds what no task wrote."""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from cryptons.celery import soon
from cryptons.db import on_commit
from shop.catalogue import product_cache
from shop.catalogue.category_tree import CategoryTree
from shop.catalogue.version import catalogue_changed, tell_what_is_owed
from shop.models import Category, Product
from shop.search import engine, index_products
from shop.search.base import Entry, microseconds, read_entries

BATCH = 500

OVERLAP = timedelta(minutes=2)
"""A row that was changed before another may be written after it, by as long as a transaction may take."""


def product_changed(ids: Iterable[UUID]) -> None:
    """Public pages and the search follow after the commit. For every save, deletion, listing and picture."""
    changed = list(ids)
    catalogue_changed()
    if changed:
        on_commit(lambda: product_cache.forget(changed))
        on_commit(lambda: _queue([str(product_id) for product_id in changed]))


def category_changed(category: Category) -> None:
    """Its products are found by its name and by those above, so they count as changed too: the sweep writes them."""
    below = CategoryTree(Category.objects.all()).ids_below(category)
    Product.objects.filter(category_id__in=below).update(updated_at=timezone.now())
    catalogue_changed()


def _queue(ids: list[str]) -> None:
    from shop.tasks import index_products as task

    for start in range(0, len(ids), BATCH):
        soon(task, ids[start : start + BATCH])


def sweep() -> int:
    """Write what was changed since the newest change that the index knows, and forget what is gone. Returns how many.

    Raises IndexBusy when another writes, which is as good.
    """
    tell_what_is_owed()
    if not engine.is_ready():
        return rebuild()
    products, indexed = Product.objects.all(), engine.newest_change()
    if indexed:
        is_fresh = timezone.now() - indexed < 2 * OVERLAP
        products = products.filter(updated_at__gt=indexed - OVERLAP if is_fresh else indexed)
    rows = {pk: (microseconds(at), is_listed) for pk, at, is_listed in products.values_list("pk", "updated_at", "is_listed").iterator()}
    known = engine.stamps_of(rows)
    behind = {pk for pk, (at, is_listed) in rows.items() if known.get(pk) != (at if is_listed else None)}
    if behind:
        _index(behind)
    if engine.count() != Product.objects.listed().count():
        behind |= _reconcile()
    if behind:
        catalogue_changed()
    return len(behind)


def rebuild(progress: Callable[[int], None] | None = None) -> int:
    """A new index of all listed products takes the place of the old one. `progress` is told how many more were read."""
    count = engine.rebuild(_all_entries(progress or (lambda more: None)))
    _reconcile()
    catalogue_changed()
    return count


def _all_entries(progress: Callable[[int], None]) -> Iterator[Entry]:
    products = Product.objects.listed().order_by("pk").iterator(chunk_size=BATCH)
    for entry in read_entries(products):
        yield entry
        progress(1)


def _reconcile() -> set[UUID]:
    """Compare every row with the index: finds deletions, and what was changed while a rebuild read."""
    rows = {pk: microseconds(at) for pk, at in Product.objects.listed().values_list("pk", "updated_at").iterator()}
    known = engine.stamps()
    behind = {pk for pk in rows.keys() | known.keys() if rows.get(pk) != known.get(pk)}
    if behind:
        _index(behind)
    return behind


def _index(ids: Collection[UUID]) -> None:
    ordered = sorted(ids)
    for start in range(0, len(ordered), BATCH):
        index_products(ordered[start : start + BATCH])
