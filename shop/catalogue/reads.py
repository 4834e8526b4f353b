"""The public reads of pages and API: the tree of categories, lists of products, one product.

Each has a constant number of queries for any number of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator

from cryptons.replica import has_replica, read_replica
from payments.rates.current import rates_version
from shop.catalogue.category_tree import CategoryTree
from shop.catalogue.version import catalogue_version, product_version
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
    """Products with prefetched category and images. Shorter than its limit if the index still had deleted products."""
    total: int
    facets: Facets
    category_counts: Mapping[UUID, int]
    """Counts that include all categories below."""
    query: Query
    engine: str
    tree: CategoryTree

    @property
    def products(self) -> list[Product]:
        return list(self.page.object_list)


def lists_and_rates() -> str:
    """Return the version of lists that also show prices in coins."""
    return f"{catalogue_version()}.{rates_version()}"


def page_version(slug: str) -> str:
    """Return the version of a product's page. It also shows prices in coins, and a list of similar products."""
    return f"{lists_and_rates()}.{product_version(slug)}"


def read_categories() -> CategoryTree:
    return read_replica(lambda database: CategoryTree(Category.objects.using(database)))


def find_products(query: Query, tree: CategoryTree | None = None) -> Found:
    """Search, and read the products of one page: three queries, one less when the caller has the tree."""
    tree = tree or read_categories()
    result = search(query)
    by_id = {product.pk: product for product in read_replica(lambda database: _read_shown(result.ids, tree, database))}
    products = [by_id[product_id] for product_id in result.ids if product_id in by_id]
    numbers: Any = Paginator(range(result.total), query.limit)
    page: Page[Product] = Page(products, query.page, numbers)
    return Found(page, result.total, result.facets, tree.sum_up(result.facets.categories), query, result.engine, tree)


def find_shown(**known: Any) -> Product | None:
    """Find the listed product with this `pk` or `slug`, in three queries. Asks the primary if a replica does not have it yet."""
    product = read_replica(lambda database: _shown(database).filter(**known).first())
    return product or (_shown("default").filter(**known).first() if has_replica() else None)


def count_categories(found: Found, current: Category | None) -> list[CategoryCount]:
    """Count the categories to offer next to a list: the path to the current one and its children, or the roots. Leaves empty ones out."""
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
    """List other products of the category, those in stock first."""

    def read(database: str) -> list[Product]:
        others = _shown(database).filter(category_id=product.category_id).exclude(pk=product.pk)
        return list(others.order_by("-created_at")[: limit * 3])

    return sorted(read_replica(read), key=lambda other: other.stock <= 0)[:limit]


def _shown(database: str) -> ProductQuerySet:
    """Prefetch category and images. No join: some databases join all rows before they filter."""
    return Product.objects.using(database).listed().prefetch_related("category", "images")


def _read_shown(ids: Sequence[UUID], tree: CategoryTree, database: str) -> list[Product]:
    """Read products as `_shown` does, but take the categories from the tree."""
    products = list(Product.objects.using(database).listed().prefetch_related("images").filter(pk__in=ids)) if ids else []
    for product in products:
        if category := tree.get(product.category_id):
            product.category = category
    return products
