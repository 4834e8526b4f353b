"""The task that a change of a product enqueues. It lies below `shop.catalogue.changes`, which needs it; `shop.tasks` registers it."""

from uuid import UUID

from celery import shared_task

from shop.catalogue.version import lists_changed
from shop.search import indexing
from shop.search.base import IndexBusy, SearchUnavailable


@shared_task(name="shop.tasks.index_products")
def index_products(product_ids: list[str]) -> None:
    """Leave the products to the sweep while another process writes, or while there is no index yet."""
    try:
        indexing.index_products([UUID(product_id) for product_id in product_ids])
    except (IndexBusy, SearchUnavailable):
        return
    lists_changed()
