"""The figures of a period, as the API, the admin's home and the CSV file show them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet, Sum

from accounts.models import User
from cryptons.money import UNITS, format_fiat
from shop.figures.models import Figure
from shop.figures.sales import AMOUNTS, day_of
from shop.models import LOW_STOCK, Category, Order, Product

PERIODS = {"7d": 7, "30d": 30, "90d": 90, "1y": 365}
"""In days, today included."""
DEFAULT_PERIOD = "30d"
BEST = 10
"""Products of a list."""
PAGE = 1000

COLUMNS = ("day", "of", "key", "name", "currency", *("placed", "orders", "units", "revenue", "refunds", "refunded"))

Of = Figure.Of


@dataclass(frozen=True)
class Amounts:
    """Sums in one currency."""

    currency: str
    placed: int = 0
    orders: int = 0
    units: int = 0
    revenue_minor: int = 0
    refunds: int = 0
    refunded_minor: int = 0

    @property
    def average_minor(self) -> int | None:
        """The revenue of one paid order, rounded half up."""
        return (2 * self.revenue_minor + self.orders) // (2 * self.orders) if self.orders else None


@dataclass(frozen=True)
class Part:
    """The sums of one day, coin, product or category."""

    key: str
    name: str
    """Empty where nobody knows it any more."""
    amounts: Amounts
    pk: UUID | None = None
    """Of the product or category, if there still is one."""


@dataclass(frozen=True)
class Analytics:
    period: str
    since: date
    until: date
    """The last day, today."""
    currency: str
    other_currencies: Sequence[str]
    """Those in which there are figures too."""
    totals: Amounts
    days: Sequence[Part]
    """Each day of the period, oldest first."""
    coins: Sequence[Part]
    products: Sequence[Part]
    """The best sellers by revenue."""
    categories: Sequence[Part]
    low_stock: Sequence[Product]


def known_currencies() -> list[str]:
    """Return the shop's currency, and those in which there are figures from before it changed."""
    rows = Figure.objects.filter(of=Of.ALL).order_by("currency").values_list("currency", flat=True).distinct()
    return [settings.CURRENCY, *(currency for currency in rows if currency != settings.CURRENCY)]


def first_day(period: str, *, at: datetime) -> date:
    return day_of(at) - timedelta(days=PERIODS[period] - 1)


def read_analytics(period: str, *, at: datetime, currency: str = "") -> Analytics:
    """Read the figures of one currency, the shop's own by default. Raises KeyError for a period that is not one of PERIODS."""
    currency = currency or settings.CURRENCY
    since, until = first_day(period, at=at), day_of(at)
    rows = Figure.objects.filter(currency=currency, day__gte=since, day__lte=until)
    return Analytics(
        period=period,
        since=since,
        until=until,
        currency=currency,
        other_currencies=[other for other in known_currencies() if other != currency],
        totals=_total(rows.filter(of=Of.ALL), currency),
        days=_days(rows, since, until, currency),
        coins=_coins(rows, currency),
        products=_products(rows, currency),
        categories=_categories(rows, currency),
        low_stock=list(low_stock()[:BEST]),
    )


def low_stock() -> QuerySet[Product]:
    """Select the listed products of which few are left, the fewest first."""
    return Product.objects.listed().filter(stock__lte=LOW_STOCK).order_by("stock", "name")


def _total(rows: QuerySet[Figure], currency: str) -> Amounts:
    sums = rows.aggregate(**{name: Sum(name) for name in AMOUNTS})
    return Amounts(currency, **{name: sums[name] or 0 for name in AMOUNTS})


def _days(rows: QuerySet[Figure], since: date, until: date, currency: str) -> list[Part]:
    kept = {row[0]: row[1:] for row in rows.filter(of=Of.ALL).order_by().values_list("day", *AMOUNTS)}
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    nothing = (0,) * len(AMOUNTS)
    return [Part(day.isoformat(), "", Amounts(currency, *kept.get(day, nothing))) for day in days]


def _grouped(rows: QuerySet[Figure], of: Of, currency: str) -> list[tuple[str, Amounts]]:
    """Sum up the rows of each key, those with the most revenue first; without those in which nothing is left."""
    sums = {f"{name}_sum": Sum(name) for name in AMOUNTS}
    groups: QuerySet[Any, Any] = rows.filter(of=of).order_by().values("key").annotate(**sums)
    amounts = [(group["key"], Amounts(currency, *(group[name] for name in sums))) for group in groups]
    return sorted((part for part in amounts if part[1] != Amounts(currency)), key=lambda part: (-part[1].revenue_minor, part[0]))


def _coins(rows: QuerySet[Figure], currency: str) -> list[Part]:
    return [Part(key, UNITS[key].name if key in UNITS else key, amounts) for key, amounts in _grouped(rows, Of.COIN, currency)]


def _products(rows: QuerySet[Figure], currency: str) -> list[Part]:
    best = [part for part in _grouped(rows, Of.PRODUCT, currency) if part[1].units > 0][:BEST]
    skus = [sku for sku, _ in best]
    here = {product.sku: product for product in Product.objects.filter(sku__in=skus).only("pk", "sku", "name")}
    sold = dict(rows.filter(of=Of.PRODUCT, key__in=skus).order_by("day").values_list("key", "name"))
    return [
        Part(sku, here[sku].name if sku in here else sold.get(sku, ""), amounts, here[sku].pk if sku in here else None)
        for sku, amounts in best
    ]


def _categories(rows: QuerySet[Figure], currency: str) -> list[Part]:
    groups = _grouped(rows, Of.CATEGORY, currency)
    names = dict(Category.objects.filter(pk__in=[key for key, _ in groups if key]).values_list("pk", "name"))
    return [
        Part(key, names.get(UUID(key), "") if key else "", amounts, UUID(key) if key and UUID(key) in names else None)
        for key, amounts in groups
    ]


@dataclass(frozen=True)
class Stats:
    """The shop as it is, and all that it ever sold."""

    users: int
    products: int
    listed: int
    low_stock: int
    to_ship: int
    on_hold: int
    sales: Sequence[Amounts]
    """By currency, the shop's own first."""


def read_stats() -> Stats:
    return Stats(
        users=User.objects.count(),
        products=Product.objects.count(),
        listed=Product.objects.listed().count(),
        low_stock=low_stock().count(),
        to_ship=Order.objects.to_ship().count(),
        on_hold=Order.objects.on_hold().count(),
        sales=[_total(Figure.objects.filter(of=Of.ALL, currency=currency), currency) for currency in known_currencies()],
    )


def csv_rows(period: str, *, at: datetime) -> Iterator[Sequence[Any]]:
    """Yield COLUMNS and a row for each day, currency and coin, product or category, page by page."""
    yield COLUMNS
    rows = Figure.objects.filter(day__gte=first_day(period, at=at), day__lte=day_of(at)).order_by("day", "pk")
    names = {str(pk): name for pk, name in Category.objects.values_list("pk", "name")}
    page = list(rows[:PAGE])
    while page:
        yield from (_cells(row, names) for row in page if any(getattr(row, name) for name in AMOUNTS))
        day, pk = page[-1].day, page[-1].pk
        page = list(rows.filter(Q(day__gt=day) | Q(day=day, pk__gt=pk))[:PAGE])


def _cells(row: Figure, categories: dict[str, str]) -> Sequence[Any]:
    name = categories.get(row.key, "") if row.of == Of.CATEGORY else row.name
    revenue, refunded = (format_fiat(minor, row.currency) for minor in (row.revenue_minor, row.refunded_minor))
    return (row.day.isoformat(), row.of, row.key, name, row.currency, row.placed, row.orders, row.units, revenue, row.refunds, refunded)
