"""Search in the database: slower and without typo tolerance, but always available."""

import re
from collections.abc import Mapping
from itertools import pairwise

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Sum, Value, When

from cryptons.replica import read_replica
from shop.models import Product
from shop.search.base import MAX_TEXT, MAX_WORD, MAX_WORDS, RATING_STEPS, Facets, Query, Result, bounded, price_ranges, price_steps

ORDERS = {
    "price": ("price_minor", "id"),
    "-price": ("-price_minor", "id"),
    "newest": ("-created_at", "-id"),
    "rating": ("-rating_average", "-rating_count", "id"),
    "name": ("name", "id"),
}
_EDGES = re.compile(r"^\W+|\W+$")
FIELDS = ("name", "sku", "category__name", "category__parent__name", "description")


class DatabaseEngine:
    name = "database"

    def search(self, query: Query) -> Result:
        return read_replica(lambda database: self._search(query, Product.objects.using(database).listed()))

    def _search(self, query: Query, products: QuerySet[Product]) -> Result:
        words = _words(query.text)
        if query.text.strip() and not words:
            return Result((), 0, Facets(), self.name)
        matching = _matching(products, words)
        filters = filters_of(query)
        matches = matching.filter(*filters.values())
        total = matches.count()
        ids = (
            list(_ordered(matches, query, words).values_list("pk", flat=True)[query.offset : query.offset + query.limit])
            if query.offset < total
            else []
        )
        return Result(ids, total, _count_facets(matching, filters), self.name)


def _words(text: str) -> list[str]:
    """Split the text into words as typed, not folded, because the database compares letter by letter."""
    plain = text[:MAX_TEXT].encode("utf-8", "ignore").decode().replace("\0", " ")
    words = (_EDGES.sub("", word)[:MAX_WORD] for word in plain.split())
    return [word for word in dict.fromkeys(words) if word][:MAX_WORDS]


def _matching(products: QuerySet[Product], words: list[str]) -> QuerySet[Product]:
    for word in words:
        anywhere = Q()
        for field in FIELDS:
            anywhere |= Q(**{f"{field}__icontains": word})
        products = products.filter(anywhere)
    return products


def filters_of(query: Query) -> dict[str, Q]:
    """Return the filters by the facet that is counted without them."""
    filters = {}
    if query.category_ids is not None:
        filters["category"] = Q(category_id__in=list(query.category_ids))
    price = Q()
    if query.min_price_minor is not None:
        price &= Q(price_minor__gte=bounded(query.min_price_minor))
    if query.max_price_minor is not None:
        price &= Q(price_minor__lte=bounded(query.max_price_minor))
    if price:
        filters["price"] = price
    if query.min_rating is not None:
        filters["rating"] = Q(rating_average__gte=query.min_rating)
    if query.in_stock:
        filters["in_stock"] = Q(stock__gt=0)
    return filters


def _ordered(products: QuerySet[Product], query: Query, words: list[str]) -> QuerySet[Product]:
    if query.order != "relevance" or not words:
        return products.order_by(*ORDERS.get(query.order, ORDERS["newest"]))
    first = words[0]
    nearness = Case(
        When(name__istartswith=first, then=Value(0)),
        When(name__icontains=first, then=Value(1)),
        When(sku__icontains=first, then=Value(2)),
        When(category__name__icontains=first, then=Value(3)),
        default=Value(4),
        output_field=IntegerField(),
    )
    return products.order_by(nearness, "name", "id")


def _count_facets(products: QuerySet[Product], filters: Mapping[str, Q]) -> Facets:
    """Count the facets. Facets that leave the same filters out are counted in one query."""

    def without(facet: str) -> QuerySet[Product]:
        return products.filter(*(part for name, part in filters.items() if name != facet)).order_by()

    together: dict[tuple[str, ...], str] = {}
    sums_by_facet: dict[str, dict[str, Sum]] = {}
    for facet, sums in _sums().items():
        first = together.setdefault(tuple(name for name in filters if name != facet), facet)
        sums_by_facet[first] = sums_by_facet.get(first, {}) | sums
    counted: dict[str, int] = {}
    for facet, sums in sums_by_facet.items():
        counted |= {name: count or 0 for name, count in without(facet).aggregate(**sums).items()}
    return Facets(
        categories=dict(without("category").values_list("category_id").annotate(Count("pk"))),
        prices=price_ranges([counted[f"price_{place}"] for place in range(len(price_steps()) + 1)]),
        ratings={step: counted[f"rating_{step}"] for step in RATING_STEPS if counted[f"rating_{step}"]},
        in_stock=counted["in_stock"],
    )


def _sums() -> dict[str, dict[str, Sum]]:
    """Return the sums that each facet needs."""
    ends = [0, *price_steps(), None]
    prices = {f"price_{place}": _how_many(_between(low, high)) for place, (low, high) in enumerate(pairwise(ends))}
    ratings = {f"rating_{step}": _how_many(Q(rating_average__gte=step)) for step in RATING_STEPS}
    return {"price": prices, "rating": ratings, "in_stock": {"in_stock": _how_many(Q(stock__gt=0))}}


def _between(low: int | None, high: int | None) -> Q:
    return Q(price_minor__gte=low) if high is None else Q(price_minor__gte=low, price_minor__lt=high)


def _how_many(condition: Q) -> Sum:
    return Sum(Case(When(condition, then=1), default=0, output_field=IntegerField()))
