"""Renew public pages and the search index after a change. Code that writes a product or category must call these functions.

Lists are renewed twice: after the commit, and again when the index has the change. What is made in between shows the rows as they are,
in an order and number that the index remembers, and must not outlive the lag. A sweep does what no task did, and renews lists
after each change once more, in case a task ended between the two.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from uuid import UUID

from django.utils import timezone

from cryptons.celery import enqueue
from cryptons.chunks import chunks
from cryptons.db import on_commit
from cryptons.events.deliveries import is_wanted, queue_deliveries
from shop.catalogue import product_cache
from shop.catalogue.category_tree import CategoryTree
from shop.catalogue.tasks import index_products
from shop.catalogue.version import (
    catalogue_changed,
    index_behind,
    index_caught_up,
    lists_changed,
    products_changed,
    read_index_behind,
    tell_what_is_owed,
)
from shop.models import LOW_STOCK, Category, Product
from shop.search import engine, indexing


def product_changed(ids: Iterable[UUID]) -> None:
    """Renew public pages and the search index after the commit. Call it for each save, deletion, listing and picture.

    Who writes the stock calls `tell_stock` as well.
    """
    changed = list(ids)
    lists_changed()
    if changed:
        _renew_products(changed, slugs=[])
        _index(changed)


def stock_changed(differences: Mapping[UUID, int]) -> None:
    """Renew what shows these products after a sale or its return, in the transaction that has changed their stock by the differences.

    These are the products' own pages; lists only if they show another availability; the search index only if it filters by another.
    """
    if not differences:
        return
    tell_stock(list(differences))
    rows = list(Product.objects.filter(pk__in=differences).values_list("pk", "slug", "stock"))
    _renew_products([pk for pk, _, _ in rows], slugs=[slug for _, slug, _ in rows])
    if any(availability(stock) != availability(stock - differences[pk]) for pk, _, stock in rows):
        lists_changed()
    if appeared_or_sold_out := [pk for pk, _, stock in rows if (stock > 0) != (stock - differences[pk] > 0)]:
        Product.objects.filter(pk__in=appeared_or_sold_out).update(updated_at=timezone.now())
        _index(appeared_or_sold_out)


def plenty_sold(products: Collection[Product]) -> None:
    """Renew what shows these products after a sale that leaves more than LOW_STOCK of each, so lists and the search stay as they are."""
    if products:
        tell_stock([product.pk for product in products])
        _renew_products([product.pk for product in products], slugs=[product.slug for product in products])


def tell_stock(ids: Collection[UUID]) -> None:
    """Write what webhooks tell of the stock, in the transaction that has written it: who writes it next waits for that one.

    Without having written it, the stock that is read here may be older than what another transaction tells before this one does.
    """
    if not is_wanted("stock.changed"):
        return
    at = timezone.now()
    for some in chunks(ids):
        for pk, stock in Product.objects.filter(pk__in=some).values_list("pk", "stock"):
            queue_deliveries("stock.changed", pk, time.time_ns() // 1000, {"stock": stock}, at=at)


def availability(stock: int) -> int:
    """Return what lists tell of a stock: 0 is sold out, above LOW_STOCK is in stock, in between is the number that is left."""
    return max(0, min(stock, LOW_STOCK + 1))


def category_changed(category: Category) -> None:
    """Mark the category's products as changed, because the search finds them by its name and its parents' names: the sweep indexes them."""
    below = CategoryTree(Category.objects.all()).ids_below(category)
    Product.objects.filter(category_id__in=below).update(updated_at=timezone.now())
    catalogue_changed()
    index_behind()


def _renew_products(ids: Collection[UUID], slugs: list[str]) -> None:
    """Renew what the API says of these products, and the pages with these slugs, which `lists_changed` would renew as well."""
    products_changed([*map(str, ids), *slugs])
    on_commit(lambda: product_cache.forget(ids))


def _index(ids: list[UUID]) -> None:
    index_behind()
    on_commit(lambda: _enqueue([str(product_id) for product_id in ids]))


def _enqueue(ids: list[str]) -> None:
    for batch in chunks(ids):
        enqueue(index_products, batch)


def sweep_search() -> int:
    """Bring the index up to date, and public pages with it. Returns how many products were behind. Raises IndexBusy, SearchUnavailable."""
    tell_what_is_owed()
    return _catch_up(_sweep if engine.is_ready() else indexing.rebuild)


def _sweep() -> int:
    behind = indexing.sweep()
    if behind:
        _renew_products(behind, slugs=[])
    return len(behind)


def rebuild_search(progress: Callable[[int], None] | None = None) -> int:
    """Build the index from all listed products and renew public pages. Returns how many products. Raises IndexBusy, SearchUnavailable."""
    index_behind()
    return _catch_up(lambda: indexing.rebuild(progress))


def _catch_up(index: Callable[[], int]) -> int:
    noted = read_index_behind()
    count = index()
    if count or noted:
        engine.refresh()
        lists_changed()
        index_caught_up(noted)
    return count
