"""What was asked for and what came, for those who may read payments: lists, and the same as files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from cryptons.api.errors import Invalid
from cryptons.api.permissions import may
from cryptons.api.schema import DECIMAL, ID, LIMIT, PAGE, PAGED, TEXT, TIME, WHOLE, Shape, array, describe, mapping, nullable, one_of, shape
from cryptons.api.views import ApiView, paginated
from cryptons.csv_lines import csv_download
from cryptons.money import UNITS, base_to_minor, format_fiat, format_rate
from payments.accounting.ledger import COLUMNS, ledger, order_of, pages
from payments.accounting.periods import Period, parse_moment
from payments.models import Invoice, Option, Payment, Payout

PAYMENT = shape(
    id=ID,
    invoiceId=ID,
    orderNumber=TEXT,
    network=one_of(*UNITS),
    status=one_of(*Payment.Status.values),
    amount=DECIMAL,
    currency=TEXT,
    value=DECIMAL,
    rate=DECIMAL,
    rateSources=mapping(TEXT),
    reference=TEXT,
    txid=TEXT,
    destination=TEXT,
    receivedAt=TIME,
    height=nullable(WHOLE),
)
INVOICE = shape(
    id=ID,
    orderId=ID,
    orderNumber=TEXT,
    status=one_of(*Invoice.Status.values),
    flags=array(TEXT),
    currency=TEXT,
    price=DECIMAL,
    paidSeen=DECIMAL,
    paidSafe=DECIMAL,
    options=array(
        shape(
            network=one_of(*UNITS), destination=TEXT, amount=DECIMAL, rate=DECIMAL, rateSources=mapping(TEXT), quotedAt=TIME, expiresAt=TIME
        )
    ),
    createdAt=TIME,
    expiresAt=TIME,
    settledAt=nullable(TIME),
)
INVOICE_COLUMNS = ("time", "order", "status", "flags", "currency", "price", "paid_seen", "paid_safe", "expires", "settled", "id")

FORMATS = ("json", "csv")
MOMENT: Shape = {"type": "string", "example": "2026-11-01", "pattern": r"^\d{4}-\d{2}-\d{2}([T ][0-9:.]+(Z|[+-]\d{2}:\d{2})?)?$"}


def filters(statuses: Iterable[str]) -> list[OpenApiParameter]:
    return [
        OpenApiParameter("network", one_of(*UNITS)),
        OpenApiParameter("status", one_of(*statuses)),
        OpenApiParameter("from", MOMENT, description="The first day or moment, in UTC"),
        OpenApiParameter("to", MOMENT, description="The day or moment after the last: from 2026-11-01 to 2026-12-01 is November"),
        OpenApiParameter("order", {"type": "string", "maxLength": 80}, description="An order's number or id"),
        OpenApiParameter("format", one_of(*FORMATS), description="csv: all rows, oldest first, as a file for spreadsheets"),
        PAGE,
        LIMIT,
    ]


@dataclass(frozen=True)
class Asked:
    network: str
    status: str
    period: Period
    order: str
    as_file: bool


def read_filters(request: Request, statuses: Sequence[str]) -> Asked:
    """Raises Invalid with a row for each filter that cannot be used."""
    told = request.query_params
    problems: dict[str, str] = {}
    for name, known in (("network", tuple(UNITS)), ("status", statuses), ("format", FORMATS)):
        if told.get(name) and told[name] not in known:
            problems[name] = f"Must be one of {', '.join(known)}."
    moments = {}
    for name in ("from", "to"):
        try:
            moments[name] = parse_moment(told[name]) if told.get(name) else None
        except ValueError as error:
            problems[name] = str(error)
    if len(told.get("order", "")) > 80 or "\0" in told.get("order", ""):
        problems["order"] = "This is no order's number."
    if problems:
        raise Invalid("Some filters cannot be used.", details=[{"field": name, "message": words} for name, words in problems.items()])
    return Asked(
        network=told.get("network", ""),
        status=told.get("status", ""),
        period=Period(moments["from"], moments["to"]),
        order=told.get("order", ""),
        as_file=told.get("format") == "csv",
    )


def invoices_of(order: str) -> QuerySet[Invoice]:
    """By the order's number or its id."""
    try:
        return Invoice.objects.filter(subject_id=UUID(order))
    except ValueError:
        return Invoice.objects.filter(label=f"order_{order}")


class Payments(ApiView):
    permission_classes = [may("payments:read")]

    @describe(
        "Payments that came, newest first",
        data=array(PAYMENT),
        meta=shape(**PAGED),
        parameters=filters(Payment.Status.values),
        errors=[400, 403],
        login=True,
        file=True,
    )
    def get(self, request: Request) -> HttpResponseBase:
        asked = read_filters(request, Payment.Status.values)
        same = {name: value for name, value in (("network", asked.network), ("status", asked.status)) if value}
        payments = Payment.objects.filter(asked.period.of("first_seen_at"), **same)
        if asked.order:
            payments = payments.filter(invoice__in=list(invoices_of(asked.order).values_list("pk", flat=True)))
        if asked.as_file:
            return csv_download("payments", chain([COLUMNS], (row.cells() for row in ledger(payments, Payout.objects.none()))))
        return paginated(request, payments.order_by("-first_seen_at", "-id").prefetch_related("option", "invoice"), show_payment)


def show_payment(payment: Payment) -> dict[str, Any]:
    """Its worth is that of its own rate, as in the ledger."""
    currency = payment.invoice.currency
    value = base_to_minor(payment.amount_base, minor_per_coin=payment.credited_minor_per_coin, network=payment.network)
    return {
        "id": payment.pk,
        "invoiceId": payment.invoice_id,
        "orderNumber": order_of(payment.invoice.label),
        "network": payment.network,
        "status": payment.status,
        "amount": payment.amount_text,
        "currency": currency,
        "value": format_fiat(value, currency),
        "rate": format_rate(payment.credited_minor_per_coin, currency),
        "rateSources": payment.option.rate_sources,
        "reference": payment.reference,
        "txid": payment.txid,
        "destination": payment.option.destination,
        "receivedAt": payment.first_seen_at,
        "height": payment.height,
    }


class Invoices(ApiView):
    permission_classes = [may("payments:read")]

    @describe(
        "Invoices, newest first",
        data=array(INVOICE),
        meta=shape(**PAGED),
        parameters=filters(Invoice.Status.values),
        errors=[400, 403],
        login=True,
        file=True,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """`network`: those that could be paid there."""
        asked = read_filters(request, Invoice.Status.values)
        invoices = (invoices_of(asked.order) if asked.order else Invoice.objects.all()).filter(asked.period.of("created_at"))
        if asked.status:
            invoices = invoices.filter(status=asked.status)
        if asked.network:
            invoices = invoices.filter(pk__in=Option.objects.filter(network=asked.network).values("invoice"))
        if asked.as_file:
            return csv_download("invoices", chain([INVOICE_COLUMNS], invoice_cells(invoices)))
        return paginated(request, invoices.order_by("-created_at", "-id").prefetch_related("options"), show_invoice)


def show_invoice(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.pk,
        "orderId": invoice.subject_id,
        "orderNumber": order_of(invoice.label),
        "status": invoice.status,
        "flags": sorted(invoice.flags),
        "currency": invoice.currency,
        "price": format_fiat(invoice.price_minor, invoice.currency),
        "paidSeen": format_fiat(invoice.paid_seen_minor, invoice.currency),
        "paidSafe": format_fiat(invoice.paid_safe_minor, invoice.currency),
        "options": [
            {
                "network": option.network,
                "destination": option.destination,
                "amount": option.due_text,
                "rate": format_rate(option.minor_per_coin, invoice.currency),
                "rateSources": option.rate_sources,
                "quotedAt": option.quoted_at,
                "expiresAt": option.expires_at,
            }
            for option in invoice.options.all()
        ],
        "createdAt": invoice.created_at,
        "expiresAt": invoice.expires_at,
        "settledAt": invoice.settled_at,
    }


def invoice_cells(invoices: QuerySet[Invoice]) -> Iterator[Sequence[Any]]:
    """In the order of INVOICE_COLUMNS."""
    fields = ("label", "status", "flags", "currency", "price_minor", "paid_seen_minor", "paid_safe_minor", "expires_at", "settled_at")
    for each in chain.from_iterable(pages(invoices, "created_at", fields)):
        amounts = (format_fiat(each[name], each["currency"]) for name in ("price_minor", "paid_seen_minor", "paid_safe_minor"))
        yield (
            *(each["created_at"], order_of(each["label"]), each["status"], " ".join(sorted(each["flags"])), each["currency"]),
            *(*amounts, each["expires_at"], each["settled_at"], each["pk"]),
        )
