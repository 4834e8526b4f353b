"""Thin shells: each is found again by a sweep."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from shop.cart import contents as carts
from shop.search import index_products as write_products
from shop.search import indexing
from shop.search.base import IndexBusy, SearchUnavailable


@shared_task
def index_products(product_ids: list[str]) -> None:
    """What another writer is in the way of is left to the sweep, and so is a first index."""
    try:
        write_products([UUID(product_id) for product_id in product_ids])
    except (IndexBusy, SearchUnavailable):
        return


@shared_task
def sweep_search() -> None:
    try:
        indexing.sweep()
    except (IndexBusy, SearchUnavailable):
        return


@shared_task
def forget_old_carts() -> None:
    carts.forget_old_carts(at=timezone.now())
