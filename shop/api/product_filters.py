"""The filters of the list of products."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from cryptons.api.errors import Invalid
from cryptons.api.inputs import GREATEST
from cryptons.api.schema import AFTER, LIMIT, PAGE, TEXT, UPDATED_SINCE, one_of
from cryptons.api.views import page_parameters
from cryptons.money import parse_fiat
from payments.accounting.periods import Period, parse_moment
from shop.catalogue.category_tree import CategoryTree
from shop.models import Product
from shop.search import Query
from shop.search.base import SORTS
from shop.search.database_engine import filters_of

FLAGS = ("true", "false")
UNLISTED = OpenApiParameter(
    "unlisted", one_of(*FLAGS), description="true: unlisted products too; needs the permission to read products (`products:read`)"
)
PUBLIC_FILTERS = [
    OpenApiParameter("category", TEXT, description="Slug or id of a category; includes the categories below it"),
    OpenApiParameter("minPrice", TEXT, description="A decimal"),
    OpenApiParameter("maxPrice", TEXT, description="A decimal"),
    OpenApiParameter("minRating", TEXT, description="0 to 5. Products without a rating count as 0."),
    OpenApiParameter("inStock", one_of(*FLAGS), description="true: only products that can be bought now"),
    OpenApiParameter("search", TEXT, description="Words; small typing errors are tolerated"),
    OpenApiParameter("sort", one_of(*SORTS), description="Order of the list. With `rating`, products without a rating come last."),
    UPDATED_SINCE,
    PAGE,
    LIMIT,
    AFTER,
]
FILTERS = [*PUBLIC_FILTERS, UNLISTED]
PARAMETERS = tuple(parameter.name for parameter in PUBLIC_FILTERS)
"""Those by which an answer for everybody is told from others."""


@dataclass(frozen=True)
class ProductFilters:
    query: Query
    updated_since: datetime | None = None
    unlisted: bool = False
    goes_on: bool = False
    """Whether the page after another one is asked for."""

    @property
    def is_walk(self) -> bool:
        """Whether rows are read one after the other, for which the search engine is not needed."""
        return bool(self.goes_on or self.updated_since or self.unlisted)

    @property
    def sorted_by(self) -> str:
        return "updated_at" if self.updated_since else "-created_at"

    def select(self) -> QuerySet[Product]:
        products = Product.objects.all() if self.unlisted else Product.objects.listed()
        return products.filter(*filters_of(self.query).values(), Period(self.updated_since).of("updated_at"))


def asks_unlisted(request: Request) -> bool:
    return request.query_params.get("unlisted") == "true"


def check_unlisted(request: Request) -> None:
    """Raise Invalid if `unlisted` is neither true nor false. A list checks it with its other filters."""
    if (asked := request.query_params.get("unlisted")) and asked not in FLAGS:
        raise Invalid.fields({"unlisted": _("Must be one of %(choices)s.") % {"choices": ", ".join(FLAGS)}})


def read_filters(request: Request, tree: CategoryTree) -> ProductFilters:
    """Read the filters from the query string. Raises Invalid with a row per problem."""
    page, limit = page_parameters(request)
    asked, problems = request.query_params, dict[str, str]()
    for name, known in (("inStock", FLAGS), ("unlisted", FLAGS), ("sort", SORTS)):
        if asked.get(name) and asked[name] not in known:
            problems[name] = _("Must be one of %(choices)s.") % {"choices": ", ".join(known)}
    category_ids = _category_ids(asked, tree, problems)
    rating, moment = _rating(asked, problems), _moment(asked, problems)
    least, most = _price("minPrice", asked, problems), _price("maxPrice", asked, problems)
    query = Query(
        text=asked.get("search", ""),
        category_ids=category_ids,
        min_price_minor=least,
        max_price_minor=most,
        min_rating=rating,
        in_stock=asked.get("inStock") == "true",
        sort=asked.get("sort") or "relevance",
        page=page,
        limit=limit,
    )
    filters = ProductFilters(query, moment, asks_unlisted(request), bool(asked.get("after")))
    if filters.is_walk and query.text:
        problems["search"] = _("Cannot be combined with `after`, `updatedSince` or `unlisted`.")
    if filters.is_walk and query.sort not in ("relevance", "" if moment else "newest"):
        problems["sort"] = _("Cannot be combined with `after`, `updatedSince` or `unlisted`.")
    if problems:
        raise Invalid.fields(problems)
    return filters


def _category_ids(asked: Mapping[str, str], tree: CategoryTree, problems: dict[str, str]) -> frozenset[UUID] | None:
    if not (slug := asked.get("category", "")):
        return None
    category = tree.find(slug) or next((known for known in tree if str(known.pk) == slug.lower()), None)
    if category is None:
        problems["category"] = _("There is no such category.")
        return None
    return tree.ids_below(category)


def _rating(asked: Mapping[str, str], problems: dict[str, str]) -> Decimal | None:
    if not (text := asked.get("minRating", "")):
        return None
    try:
        rating = Decimal(text)
        if rating.is_finite() and 0 <= rating <= 5:
            return rating
    except InvalidOperation:
        pass
    problems["minRating"] = _("Must be a number from 0 to 5.")
    return None


def _moment(asked: Mapping[str, str], problems: dict[str, str]) -> datetime | None:
    try:
        return parse_moment(asked["updatedSince"]) if asked.get("updatedSince") else None
    except ValueError as error:
        problems["updatedSince"] = str(error)
        return None


def _price(name: str, asked: Mapping[str, str], problems: dict[str, str]) -> int | None:
    try:
        return max(-GREATEST, min(GREATEST, parse_fiat(asked[name], settings.CURRENCY))) if asked.get(name) else None
    except ValueError as error:
        problems[name] = str(error)
        return None
