"""What everybody reads of the shop: the tree of categories, pages of products, one product. Pages and API ask here.

Each read has a constant number of queries, however many rows it shows.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator

from shop.models import Category, Product, ProductQuerySet
from shop.search import Facets, Query, search


class CategoryTree:
    """All categories, read at once. A loop or a lost parent breaks nothing: such a category is a root."""

    def __init__(self, categories: Iterable[Category]) -> None:
        self._by_id = {category.pk: category for category in categories}
        self._by_slug = {category.slug: category for category in self._by_id.values()}
        self._children: dict[UUID | None, list[Category]] = {}
        for category in self._by_id.values():
            above = None if self._loops(category) else category.parent_id
            self._children.setdefault(above if above in self._by_id else None, []).append(category)

    def __iter__(self) -> Iterator[Category]:
        return iter(self._by_id.values())

    @property
    def roots(self) -> list[Category]:
        return self._children.get(None, [])

    def find(self, slug: str) -> Category | None:
        return self._by_slug.get(slug)

    def children(self, category: Category) -> list[Category]:
        return self._children.get(category.pk, [])

    def path(self, category: Category) -> list[Category]:
        """From the root down to the category itself."""
        path: list[Category] = []
        at: Category | None = category
        while at is not None and at not in path:
            path.insert(0, at)
            at = self._by_id.get(at.parent_id) if at.parent_id else None
        return path

    def ids_below(self, category: Category) -> frozenset[UUID]:
        """Its own id and those of all below it."""
        ids, next_ids = {category.pk}, [category.pk]
        while next_ids:
            found = [child.pk for pk in next_ids for child in self._children.get(pk, []) if child.pk not in ids]
            ids.update(found)
            next_ids = found
        return frozenset(ids)

    def sum_up(self, counts: Mapping[UUID, int]) -> dict[UUID, int]:
        """Counts by each product's own category → counts that include all below."""
        return {pk: sum(counts.get(below, 0) for below in self.ids_below(category)) for pk, category in self._by_id.items()}

    def _loops(self, category: Category) -> bool:
        seen, above = {category.pk}, category.parent_id
        while above is not None and above in self._by_id:
            if above in seen:
                return above == category.pk
            seen.add(above)
            above = self._by_id[above].parent_id
        return False


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
