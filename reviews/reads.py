"""The reviews that public pages show."""

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from cryptons.replica import read_replica
from reviews.models import Review
from shop.models import Product

PAGE_SIZE = 10
ON_PRODUCT_PAGE = 3
ORDERS = {
    "newest": ("-created_at", "-id"),
    "helpful": ("-helpful_votes", "-created_at", "-id"),
    "highest": ("-rating", "-created_at", "-id"),
    "lowest": ("rating", "-created_at", "-id"),
}


def read_first(product: Product) -> list[Review]:
    """List the newest ones; no query for a product without a rating."""
    if not product.rating_count:
        return []
    return read_replica(lambda database: list(_published(product, database).order_by(*ORDERS["newest"])[:ON_PRODUCT_PAGE]))


def read_page(product: Product, sort: str, number: str) -> "Page[Review]":
    """Return the page with this number: the last one if there are fewer, the first one if it is no number."""

    def read(database: str) -> Page[Review]:
        page = Paginator(_published(product, database).order_by(*ORDERS[sort]), PAGE_SIZE).get_page(number)
        page.object_list = list(page.object_list)
        return page

    return read_replica(read)


def _published(product: Product, database: str) -> QuerySet[Review]:
    return Review.objects.using(database).published().filter(product_id=product.pk).select_related("user")
