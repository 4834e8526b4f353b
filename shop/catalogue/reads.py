"""What everybody reads of the shop: the tree of categories, pages of products, one product. Pages and API ask here.

Each read has a constant number of queries, however many rows it shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator

from cryptons.replica import has_replica, read_replica
from payments.rates.current import rates_version
from shop.catalogue.category_tree import CategoryTree
from shop.catalogue.version import catalogue_version
from shop.models import Category, Product, ProductQuerySet
from shop.search import Facets, Query, search


@dataclass(frozen=True)
class CategoryCount:
    category: Category
    count: int
    depth: int
    is_current: bool


@dataclass(frozen=True)
class Found:
    page: "Page[Product]"
    """Products with category and images at hand. Shorter than its limit when the index was ahead of a deletion."""
    total: int
    facets: Facets
    category_counts: Mapping[UUID, int]
    """With all below."""
    engine: str
    tree: CategoryTree

    @property
    def products(self) -> list[Product]:
        return list(self.page.object_list)


def catalogue_and_rates() -> str:
    """The version of whatever shows prices in coins too."""
    return f"{catalogue_version()}.{rates_version()}"


def read_categories() -> CategoryTree:
    return read_replica(lambda database: CategoryTree(Category.objects.using(database)))


def find_products(query: Query, tree: CategoryTree | None = None) -> Found:
    """Search, and read the products of one page: three queries, one less when the caller has the tree."""
    tree = tree or read_categories()
    result = search(query)
    found = {product.pk: product for product in read_replica(lambda database: _read_shown(result.ids, tree, database))}
    products = [found[product_id] for product_id in result.ids if product_id in found]
    numbers: Any = Paginator(range(result.total), query.limit)
    page: Page[Product] = Page(products, query.page, numbers)
    return Found(page, result.total, result.facets, tree.sum_up(result.facets.categories), result.engine, tree)


def find_shown(**known: Any) -> Product | None:
    """The listed product with this `pk` or `slug`, in three queries. A replica may not have heard of it yet."""
    found = read_replica(lambda database: _shown(database).filter(**known).first())
    return found or (_shown("default").filter(**known).first() if has_replica() else None)


def count_categories(found: Found, current: Category | None) -> list[CategoryCount]:
    """What to offer beside a list: the way down to the current category and its children, or the roots; none that would be empty."""
    way = found.tree.path(current) if current else []
    below = found.tree.children(current) if current else found.tree.roots
    offered = [(category, depth) for depth, category in enumerate(way)] + [(category, len(way)) for category in below]
    counts = found.category_counts
    return [
        CategoryCount(category, counts[category.pk], depth, category == current)
        for category, depth in offered
        if counts[category.pk] or category in way
    ]


def read_similar(product: Product, limit: int = 4) -> list[Product]:
    """Others of the same category, in stock before sold out."""

    def read(database: str) -> list[Product]:
        others = _shown(database).filter(category_id=product.category_id).exclude(pk=product.pk)
        return list(others.order_by("-created_at")[: limit * 3])

    return sorted(read_replica(read), key=lambda other: other.stock <= 0)[:limit]


def _shown(database: str) -> ProductQuerySet:
    """With category and images at hand. No join: some databases join all rows before they look for these."""
    return Product.objects.using(database).listed().prefetch_related("category", "images")


def _read_shown(ids: Sequence[UUID], tree: CategoryTree, database: str) -> list[Product]:
    """As `_shown`, with the tree's categories."""
    found = list(Product.objects.using(database).listed().prefetch_related("images").filter(pk__in=ids)) if ids else []
    for product in found:
        if category := tree.get(product.category_id):
            product.category = category
    return found
