"""The filters of the list of orders."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from cryptons.api.errors import Invalid
from cryptons.api.schema import MOMENT, TEXT, UPDATED_SINCE, one_of
from cryptons.email_domain import ascii_email, readable_email
from payments.accounting.periods import Period, parse_moment
from shop.models import Order
from shop.orders.order_link import normalize

LONGEST_SEARCH = 254
FLAGS = ("true", "false")
CHOICES: dict[str, tuple[str, ...]] = {
    "all": FLAGS,
    "onHold": FLAGS,
    "status": tuple(Order.Status.values),
    "paymentStatus": tuple(Order.PaymentStatus.values),
}
FILTERS = [
    OpenApiParameter("all", one_of(*FLAGS), description="true: the orders of all users; needs the permission to read orders"),
    OpenApiParameter("status", one_of(*CHOICES["status"])),
    OpenApiParameter("paymentStatus", one_of(*CHOICES["paymentStatus"])),
    OpenApiParameter("onHold", one_of(*FLAGS)),
    OpenApiParameter("since", MOMENT, description="Placed on this day or at this moment, in UTC, or later"),
    OpenApiParameter("until", MOMENT, description="Placed before this day or moment"),
    UPDATED_SINCE,
    OpenApiParameter("search", {**TEXT, "maxLength": LONGEST_SEARCH}, description="The number or mail address of an order"),
]


@dataclass(frozen=True)
class OrderFilters:
    """What a client asked to see; an empty text filters nothing."""

    all_users: bool
    on_hold: str
    status: str
    payment_status: str
    placed: Period
    updated_since: datetime | None
    search: str

    @property
    def sorted_by(self) -> str:
        return "updated_at" if self.updated_since else "-created_at"

    def select(self, orders: QuerySet[Order]) -> QuerySet[Order]:
        orders = orders.filter(self.placed.of("created_at"), Period(self.updated_since).of("updated_at"))
        if self.on_hold:
            orders = orders.filter(on_hold=self.on_hold == "true")
        if self.status:
            orders = orders.filter(status=self.status)
        if self.payment_status:
            orders = orders.filter(payment_status=self.payment_status)
        if self.search:
            orders = orders.filter(Q(number=normalize(self.search)) | _of_email(self.search))
        return orders


def _of_email(address: str) -> Q:
    """Return what selects the address in both forms of its domain: old orders have it as it was typed."""
    readable = readable_email(address)
    try:
        return Q(email__iexact=readable) | Q(email__iexact=ascii_email(readable))
    except ValueError:  # also idna's: no domain of any address
        return Q(email__iexact=readable)


def read_filters(request: Request) -> OrderFilters:
    """Read the filters from the query string. Raises Invalid with one detail for each that cannot be used."""
    query = request.query_params
    problems: dict[str, str] = {}
    for name, known in CHOICES.items():
        if query.get(name) and query[name] not in known:
            problems[name] = _("Must be one of %(choices)s.") % {"choices": ", ".join(known)}
    moments: dict[str, datetime | None] = {}
    for name in ("since", "until", "updatedSince"):
        try:
            moments[name] = parse_moment(query[name]) if query.get(name) else None
        except ValueError as error:
            problems[name] = str(error)
    search = query.get("search", "").strip()
    if len(search) > LONGEST_SEARCH or "\0" in search:
        problems["search"] = _("This is neither the number nor the mail address of an order.")
    if problems:
        raise Invalid.fields(problems)
    return OrderFilters(
        all_users=query.get("all") == "true",
        on_hold=query.get("onHold", ""),
        status=query.get("status", ""),
        payment_status=query.get("paymentStatus", ""),
        placed=Period(moments["since"], moments["until"]),
        updated_since=moments["updatedSince"],
        search=search,
    )
