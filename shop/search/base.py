"""What the shop asks of a search engine, and the words it is asked in."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from django.conf import settings

from cryptons.money import minor_digits
from shop.errors import ShopError
from shop.models import Category, Product

SORTS = ("relevance", "price", "-price", "newest", "rating", "name")

MAX_TEXT = 200
MAX_WORDS = 12
MAX_WORD = 40

_BETWEEN_WORDS = re.compile(r"[^0-9a-z]+")


class SearchUnavailable(ShopError):
    """The engine cannot answer now: the database can."""


class IndexBusy(ShopError):
    """Somebody else writes to the index. Leave it: the sweep finds what was not written."""


@dataclass(frozen=True)
class Query:
    text: str = ""
    category_ids: frozenset[UUID] | None = None
    """The wanted category and all below it; None for the whole shop."""
    min_price_minor: int | None = None
    max_price_minor: int | None = None
    min_rating: Decimal | None = None
    in_stock: bool = False
    sort: str = "relevance"
    page: int = 1
    limit: int = 20

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit

    @property
    def order(self) -> str:
        """Without words nothing is more relevant than anything else: the newest come first."""
        return "newest" if self.sort == "relevance" and not self.text.strip() else self.sort


@dataclass(frozen=True)
class PriceRange:
    from_minor: int
    to_minor: int | None
    """Exclusive; None is no end."""
    count: int


@dataclass(frozen=True)
class Facets:
    """Each is counted without its own filter, so that it shows what the others would give."""

    categories: Mapping[UUID, int] = field(default_factory=dict)
    """By the product's own category; whoever shows a tree sums it up."""
    prices: Sequence[PriceRange] = ()


@dataclass(frozen=True)
class Result:
    ids: Sequence[UUID]
    total: int
    facets: Facets
    engine: str


@dataclass(frozen=True)
class Entry:
    """A product as an engine knows it."""

    id: UUID
    name: str
    sku: str
    description: str
    category_id: UUID
    category_names: str
    """Its own category's name and those above, so that "kitchen" finds what lies in Kitchen › Kettles."""
    price_minor: int
    rating_average: Decimal
    rating_count: int
    in_stock: bool
    created_at: datetime
    updated_at: datetime


class Engine(Protocol):
    name: str

    def search(self, query: Query) -> Result:
        """Raises SearchUnavailable."""

    def write(self, entries: Iterable[Entry], gone: Iterable[UUID]) -> None:
        """Replace the entries and forget those that are gone, in one step. Raises IndexBusy, SearchUnavailable."""


def fold(text: str) -> str:
    """Words in small plain letters with one space between: accents, signs, NULs and lone surrogates are let go."""
    if text.isascii():
        return _BETWEEN_WORDS.sub(" ", text.lower()).strip()
    plain = unicodedata.normalize("NFKD", text.encode("utf-8", "ignore").decode()).casefold()
    letters = (letter if letter.isalnum() else "" if unicodedata.category(letter)[0] == "M" else " " for letter in plain)
    return " ".join("".join(letters).split())


def read_words(text: str) -> list[str]:
    """The words that are looked for when somebody typed this: few, short, each once."""
    words = dict.fromkeys(word[:MAX_WORD] for word in fold(text[:MAX_TEXT]).split())
    return list(words)[:MAX_WORDS]


def price_steps() -> list[int]:
    """Where one range of prices ends and the next begins, in minor units of the shop's currency."""
    unit = 10 ** minor_digits(settings.CURRENCY) if minor_digits(settings.CURRENCY) else 100
    return [whole * unit for whole in (25, 50, 100, 250, 500, 1000)]


def price_ranges(counts: Sequence[int]) -> list[PriceRange]:
    """One more count than there are steps; ranges without a product are left out."""
    steps = price_steps()
    return [PriceRange(start, end, count) for start, end, count in zip([0, *steps], [*steps, None], counts, strict=True) if count]


def read_entries(products: Iterable[Product]) -> Iterable[Entry]:
    """One query for all categories; the products' own rows are the caller's."""
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
