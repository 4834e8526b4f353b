"""The interface of search engines, and what they share: queries, results, words and facets."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from cryptons.money import minor_digits
from shop.errors import ShopError
from shop.models import Category, Product

SORTS = ("relevance", "price", "-price", "newest", "rating", "name")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_TEXT = 200
MAX_CATEGORIES = 10_000
MAX_WORDS = 12
MAX_WORD = 40

_BETWEEN_WORDS = re.compile(r"[^0-9a-z]+")
_WITHOUT_BLANKS = re.compile("[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
"""Runs of Chinese and Japanese letters, which are written without blanks between words."""


class SearchUnavailable(ShopError):
    """The engine cannot answer now. Query the database instead."""


class IndexBusy(ShopError):
    """Another process writes to the index. Do nothing: the sweep finds what was not written."""


@dataclass(frozen=True)
class Query:
    """A search query: words, filters, order and page. Pages, API and engines all use this one."""

    text: str = ""
    category_ids: frozenset[UUID] | None = None
    """A category and all below it (`CategoryTree.ids_below`); None for the whole shop."""
    min_price_minor: int | None = None
    max_price_minor: int | None = None
    min_rating: Decimal | None = None
    """Products without reviews have a rating of 0."""
    in_stock: bool = False
    sort: str = "relevance"
    page: int = 1
    limit: int = 20

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit

    @property
    def order(self) -> str:
        """The order to sort by: without words there is no relevance, so the newest come first."""
        return "newest" if self.sort == "relevance" and not self.text.strip() else self.sort

    @property
    def is_by_age(self) -> bool:
        """Whether all that the filters leave are listed, the newest first: the database can then go on from any of them."""
        return self.order == "newest" and not self.text.strip()


@dataclass(frozen=True)
class PriceRange:
    from_minor: int
    to_minor: int | None
    """Exclusive; None is no end."""
    count: int


@dataclass(frozen=True)
class Facets:
    """Counts next to the filters. Each is counted without its own filter, so that it shows what the other choices would give."""

    categories: Mapping[UUID, int] = field(default_factory=dict)
    """By the product's own category; `CategoryTree.sum_up` adds those below."""
    prices: Sequence[PriceRange] = ()
    ratings: Mapping[int, int] = field(default_factory=dict)
    """How many products have at least this many stars."""
    in_stock: int = 0


@dataclass(frozen=True)
class Result:
    ids: Sequence[UUID]
    total: int
    facets: Facets
    engine: str


@dataclass(frozen=True)
class Entry:
    """A product as it is indexed."""

    id: UUID
    name: str
    sku: str
    description: str
    category_id: UUID
    category_names: str
    """Its own category's name and those above, so that "kitchen" finds products in Kitchen › Kettles."""
    price_minor: int
    rating_average: Decimal
    rating_count: int
    in_stock: bool
    created_at: datetime
    updated_at: datetime


class Engine(Protocol):
    """A search engine with its own index. Every method raises SearchUnavailable; those that write also raise IndexBusy."""

    name: str

    def is_ready(self) -> bool: ...

    def search(self, query: Query) -> Result: ...

    def write(self, entries: Iterable[Entry], gone: Iterable[UUID]) -> None:
        """Index these entries and remove those that are gone."""

    def refresh(self) -> None:
        """Let searches find all that was written. `write` does so itself, unless it ends with an error half-way."""

    def rebuild(self, entries: Iterable[Entry]) -> int:
        """Replace the index by one of exactly these entries; the old one serves until then. Returns how many."""

    def count(self) -> int: ...

    def newest_change(self) -> datetime | None:
        """Return the latest `updated_at` in the index."""

    def stamps(self) -> dict[UUID, int]:
        """Return when each indexed product was last changed, in microseconds since 1970."""

    def stamps_of(self, ids: Iterable[UUID]) -> dict[UUID, int]: ...


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def hundredths(rating: Decimal) -> int:
    return max(0, int((rating * 100).to_integral_value(ROUND_CEILING)))


def fold(text: str) -> str:
    """Reduce text to lower-case words with one space between. Removes accents, punctuation, NULs and lone surrogates."""
    if text.isascii():
        return _BETWEEN_WORDS.sub(" ", text.lower()).strip()
    plain = unicodedata.normalize("NFKD", text.encode("utf-8", "ignore").decode()).casefold()
    letters = (letter if letter.isalnum() else "" if unicodedata.category(letter)[0] == "M" else " " for letter in plain)
    return " ".join("".join(letters).split())


def index_words(text: str) -> str:
    """Fold text for the index. Of a run without blanks each letter and each pair of neighbours is a word: any part of it is found."""

    def parts(run: re.Match[str]) -> str:
        return f" {' '.join(run[0])} {' '.join(_pairs(run[0]))} "

    return " ".join(_WITHOUT_BLANKS.sub(parts, fold(text)).split())


def read_words(text: str) -> list[str]:
    """Return the words to search for: limited in number and length, without repeats. See `index_words`."""

    def parts(run: re.Match[str]) -> str:
        return f" {' '.join(_pairs(run[0]) or run[0])} "

    words = dict.fromkeys(word[:MAX_WORD] for word in _WITHOUT_BLANKS.sub(parts, fold(text[:MAX_TEXT])).split())
    return list(words)[:MAX_WORDS]


def _pairs(run: str) -> list[str]:
    return [first + second for first, second in pairwise(run)]


BOOSTS: Mapping[str, tuple[int, int, int]] = {
    "name": (40, 20, 8),
    "sku": (30, 15, 0),
    "category": (16, 8, 4),
    "stems": (6, 0, 0),
    "description": (4, 2, 1),
}
"""By field: the weight of the exact word, of its beginning, and of a similar word."""


def forgiven_slips(word: str) -> int:
    """Return how many letters of the word may be wrong."""
    return 0 if len(word) < 4 or word.isdigit() else 1 if len(word) < 8 else 2


def bounded(minor: int) -> int:
    """Limit a price to the range that every engine can compare."""
    return min(max(minor, -1), 2**63 - 1)


def price_steps() -> list[int]:
    """Return the boundaries between price ranges, in minor units of the shop's currency."""
    unit = 10 ** minor_digits(settings.CURRENCY) if minor_digits(settings.CURRENCY) else 100
    return [whole * unit for whole in (25, 50, 100, 250, 500, 1000)]


RATING_STEPS = (1, 2, 3, 4)


def price_ranges(counts: Sequence[int]) -> list[PriceRange]:
    """Turn counts into ranges (there is one more count than there are steps). Leaves empty ranges out."""
    steps = price_steps()
    return [PriceRange(start, end, count) for start, end, count in zip([0, *steps], [*steps, None], counts, strict=True) if count]


def ratings_and_more(counts: Sequence[int]) -> dict[int, int]:
    """Turn counts between the rating steps into counts from each step up. Leaves empty steps out."""
    ups = {step: sum(counts[place:]) for place, step in enumerate(RATING_STEPS, start=1)}
    return {step: count for step, count in ups.items() if count}


def facet_aggregations() -> dict[str, dict[str, Any]]:
    """Return the aggregations for the facets, in the syntax that Elasticsearch and tantivy share."""

    def between(steps: Sequence[int]) -> list[dict[str, int]]:
        return [{"to": steps[0]}, *({"from": low, "to": high} for low, high in pairwise(steps)), {"from": steps[-1]}]

    return {
        "category": {"terms": {"field": "category_id", "size": MAX_CATEGORIES}},
        "price": {"range": {"field": "price", "ranges": between(price_steps())}},
        "rating": {"range": {"field": "rating", "ranges": between([step * 100 for step in RATING_STEPS])}},
        "in_stock": {"terms": {"field": "in_stock"}},
    }


def read_facets(buckets: Mapping[str, Sequence[Mapping[str, Any]]]) -> Facets:
    """Read the facets from the answers to `facet_aggregations`."""
    counts = {facet: [bucket["doc_count"] for bucket in found] for facet, found in buckets.items()}
    return Facets(
        categories={UUID(bucket["key"]): bucket["doc_count"] for bucket in buckets["category"]},
        prices=price_ranges(counts["price"]),
        ratings=ratings_and_more(counts["rating"]),
        in_stock=sum(bucket["doc_count"] for bucket in buckets["in_stock"] if bucket["key"]),
    )


def read_entries(products: Iterable[Product]) -> Iterable[Entry]:
    """Turn products into entries, with one query for all categories."""
    categories = {category.pk: category for category in Category.objects.all()}
    for product in products:
        yield Entry(
            id=product.pk,
            name=product.name,
            sku=product.sku,
            description=product.description,
            category_id=product.category_id,
            category_names=" ".join(_names_up(product.category_id, categories)),
            price_minor=product.price_minor,
            rating_average=product.rating_average,
            rating_count=product.rating_count,
            in_stock=product.stock > 0,
            created_at=product.created_at,
            updated_at=product.updated_at,
        )


def _names_up(category_id: UUID | None, categories: Mapping[UUID, Category]) -> Iterable[str]:
    seen: set[UUID] = set()
    while category_id is not None and category_id in categories and category_id not in seen:
        seen.add(category_id)
        yield categories[category_id].name
        category_id = categories[category_id].parent_id
