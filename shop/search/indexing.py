"""Keep the index in step with the rows: after each change by a task, and by a sweep that finds what no task wrote.

Public pages follow the catalogue's version: see `shop.catalogue.changes`, which calls these functions.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from cryptons.chunks import CHUNK, chunks
from shop.models import Product
from shop.search import engine
from shop.search.base import Entry, microseconds, read_entries

OVERLAP = timedelta(minutes=2)
"""How much later than its `updated_at` a row may be committed: as long as a transaction may take."""


def index_products(ids: Collection[UUID]) -> None:
    """Index these products as their rows are now; removes what is gone or unlisted. Raises IndexBusy, SearchUnavailable."""
    listed = list(Product.objects.listed().filter(pk__in=ids))
    engine.write(read_entries(listed), gone=set(ids) - {product.pk for product in listed})


def sweep() -> set[UUID]:
    """Index what changed since the newest change that the index knows, and remove what is gone. Returns the products that were behind.

    Raises SearchUnavailable, and IndexBusy when another process writes: that one does the same work.
    """
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
    return behind


def rebuild(progress: Callable[[int], None] | None = None) -> int:
    """Replace the index by a new one of all listed products. `progress` is called with how many more were read."""
    count = engine.rebuild(_all_entries(progress or (lambda more: None)))
    _reconcile()
    return count


def _all_entries(progress: Callable[[int], None]) -> Iterator[Entry]:
    products = Product.objects.listed().order_by("pk").iterator(chunk_size=CHUNK)
    for entry in read_entries(products):
        yield entry
        progress(1)


def _reconcile() -> set[UUID]:
    """Compare every row with the index, to find deletions, and changes during a rebuild."""
    rows = {pk: microseconds(at) for pk, at in Product.objects.listed().values_list("pk", "updated_at").iterator()}
    known = engine.stamps()
    behind = {pk for pk in rows.keys() | known.keys() if rows.get(pk) != known.get(pk)}
    if behind:
        _index(behind)
    return behind


def _index(ids: Collection[UUID]) -> None:
    for batch in chunks(sorted(ids)):
        index_products(batch)
