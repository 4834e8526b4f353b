"""What everybody reads of the shop: the tree of categories, pages of products, one product. Pages and API ask here.

Each read has a constant number of queries, however many rows it shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator

from payments.rates import rates_version
from shop.catalogue_version import catalogue_version
from shop.category_tree import CategoryTree
from shop.models import Category, Product, ProductQuerySet
from shop.search import Facets, Query, search


@dataclass(frozen=True)
class CategoryCount:
    category: Category
    count: int
    depth: int
    is_current: bool


@dataclass(frozen=True)
class Filters:
    text: str = ""
    category: Category | None = None
    """Stands for all below it too."""
    min_price_minor: int | None = None
    max_price_minor: int | None = None
    min_rating: Decimal | None = None
    in_stock: bool = False
    sort: str = "relevance"
    page: int = 1
    limit: int = 20


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
    return CategoryTree(Category.objects.all())


def find_products(filters: Filters, tree: CategoryTree | None = None) -> Found:
    """Three queries, one less when the caller has the tree."""
    tree = tree or read_categories()
    result = search(
        Query(
            text=filters.text,
            category_ids=tree.ids_below(filters.category) if filters.category else None,
            min_price_minor=filters.min_price_minor,
            max_price_minor=filters.max_price_minor,
            min_rating=filters.min_rating,
            in_stock=filters.in_stock,
            sort=filters.sort,
            page=filters.page,
            limit=filters.limit,
        )
    )
    found = {product.pk: product for product in _shown().filter(pk__in=list(result.ids))} if result.ids else {}
    products = [found[product_id] for product_id in result.ids if product_id in found]
    numbers: Any = Paginator(range(result.total), filters.limit)
    page: Page[Product] = Page(products, filters.page, numbers)
    return Found(page, result.total, result.facets, tree.sum_up(result.facets.categories), result.engine, tree)


def read_product(slug: str) -> Product:
    """Two queries. Raises Product.DoesNotExist for one that is not listed."""
    return _shown().get(slug=slug)


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
    others = _shown().filter(category_id=product.category_id).exclude(pk=product.pk).order_by("-created_at")[: limit * 3]
    return sorted(others, key=lambda other: other.stock <= 0)[:limit]


def _shown() -> ProductQuerySet:
    return Product.objects.listed().select_related("category").prefetch_related("images")
