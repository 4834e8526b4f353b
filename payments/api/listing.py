"""The list that invoices, payments and payouts have in common: one set of filters, one page or one CSV file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from cryptons.api.errors import Invalid
from cryptons.api.schema import MOMENT, UPDATED_SINCE, one_of
from cryptons.api.views import paginated
from cryptons.csv_lines import csv_download
from cryptons.money import UNITS
from payments.accounting.periods import Period, parse_moment
from payments.models import Invoice

Row = TypeVar("Row", bound=Model)

FORMATS = ("json", "csv")
LONGEST_ORDER = 80


@dataclass(frozen=True)
class Filters:
    """What a client asked to see; an empty text filters nothing."""

    network: str
    status: str
    period: Period
    updated_since: datetime | None
    order: str
    as_file: bool


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """How one kind of row is filtered, sorted and written to a file."""

    name: str
    """Of the CSV file."""
    rows: Callable[[], QuerySet[Row]]
    statuses: Sequence[str]
    moment: str
    """The field by which the rows are sorted, newest first, and to which the period applies."""
    columns: Sequence[str]
    cells: Callable[[QuerySet[Row]], Iterator[Sequence[Any]]]
    """The rows as CSV cells in the order of `columns`, oldest first."""
    invoice_key: str = "invoice"
    """The field that holds the invoice's id."""
    on_network: Callable[[str], Q] = lambda network: Q(network=network)
    related: Sequence[str] = ()
    tells_changes: bool = False
    """Whether the rows say when they last changed, in `updated_at`."""

    def parameters(self) -> list[OpenApiParameter]:
        """Describe the filters for the OpenAPI document."""
        return [
            OpenApiParameter("network", one_of(*UNITS)),
            OpenApiParameter("status", one_of(*self.statuses)),
            OpenApiParameter("from", MOMENT, description="The first day or moment, in UTC"),
            OpenApiParameter("to", MOMENT, description="The day or moment after the last: from 2026-11-01 to 2026-12-01 is November"),
            *([UPDATED_SINCE] if self.tells_changes else []),
            OpenApiParameter("order", {"type": "string", "maxLength": LONGEST_ORDER}, description="An order's number or id"),
            OpenApiParameter(
                "format", one_of(*FORMATS), description="csv: all rows, oldest first, as a file; without page, limit and after"
            ),
        ]

    def select(self, filters: Filters) -> QuerySet[Row]:
        rows = self.rows().filter(filters.period.of(self.moment), Period(filters.updated_since).of("updated_at"))
        if filters.status:
            rows = rows.filter(status=filters.status)
        if filters.network:
            rows = rows.filter(self.on_network(filters.network))
        if filters.order:
            invoices = list(Invoice.objects.for_order(filters.order).values_list("pk", flat=True))
            rows = rows.filter(**{f"{self.invoice_key}__in": invoices})
        return rows

    def respond(self, request: Request, show: Callable[[Row], Mapping[str, Any]]) -> HttpResponseBase:
        """Send one page of the selected rows, each shown by `show`, or all of them as CSV. Raises Invalid."""
        filters = read_filters(request, self.statuses)
        rows = self.select(filters)
        if filters.as_file:
            return csv_download(self.name, chain([self.columns], self.cells(rows)))
        by = "updated_at" if filters.updated_since else f"-{self.moment}"
        return paginated(request, rows.prefetch_related(*self.related), show, by=by)


def read_filters(request: Request, statuses: Iterable[str]) -> Filters:
    """Read the filters from the query string. Raises Invalid with one detail for each filter that cannot be used."""
    query = request.query_params
    problems: dict[str, str] = {}
    for name, known in (("network", tuple(UNITS)), ("status", tuple(statuses)), ("format", FORMATS)):
        if query.get(name) and query[name] not in known:
            problems[name] = _("Must be one of %(choices)s.") % {"choices": ", ".join(known)}
    moments = {}
    for name in ("from", "to", "updatedSince"):
        try:
            moments[name] = parse_moment(query[name]) if query.get(name) else None
        except ValueError as error:
            problems[name] = str(error)
    if len(query.get("order", "")) > LONGEST_ORDER or "\0" in query.get("order", ""):
        problems["order"] = _("This is not the number of an order.")
    if query.get("format") == "csv":
        whole = _("A file has all rows: leave this out.")
        problems |= {name: whole for name in ("page", "limit", "after") if query.get(name)}
    if problems:
        raise Invalid.fields(problems)
    return Filters(
        network=query.get("network", ""),
        status=query.get("status", ""),
        period=Period(moments["from"], moments["to"]),
        updated_since=moments["updatedSince"],
        order=query.get("order", ""),
        as_file=query.get("format") == "csv",
    )
