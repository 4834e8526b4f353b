"""What was asked for and what came, for those who may read payments: lists, and the same as files."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from django.db.models import Q, QuerySet
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from cryptons.api.permissions import may
from cryptons.api.schema import DECIMAL, ID, PAGED, TEXT, TIME, WHOLE, array, describe, mapping, nullable, one_of, shape
from cryptons.api.views import ApiView
from cryptons.money import UNITS, base_to_minor, format_fiat, format_rate
from payments.accounting.ledger import COLUMNS, ledger, order_of, pages
from payments.api.listing import Listing
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


def payment_cells(payments: QuerySet[Payment]) -> Iterator[Sequence[Any]]:
    """Write payments in the order of the ledger's COLUMNS."""
    return (row.cells() for row in ledger(payments, Payout.objects.none()))


def invoice_cells(invoices: QuerySet[Invoice]) -> Iterator[Sequence[Any]]:
    """Write invoices in the order of INVOICE_COLUMNS."""
    fields = ("label", "status", "flags", "currency", "price_minor", "paid_seen_minor", "paid_safe_minor", "expires_at", "settled_at")
    for row in chain.from_iterable(pages(invoices, "created_at", fields)):
        amounts = (format_fiat(row[name], row["currency"]) for name in ("price_minor", "paid_seen_minor", "paid_safe_minor"))
        yield (
            *(row["created_at"], order_of(row["label"]), row["status"], " ".join(sorted(row["flags"])), row["currency"]),
            *(*amounts, row["expires_at"], row["settled_at"], row["pk"]),
        )


PAYMENTS = Listing(
    name="payments",
    rows=Payment.objects.all,
    statuses=Payment.Status.values,
    moment="first_seen_at",
    columns=COLUMNS,
    cells=payment_cells,
    related=("option", "invoice"),
)
INVOICES = Listing(
    name="invoices",
    rows=Invoice.objects.all,
    statuses=Invoice.Status.values,
    moment="created_at",
    columns=INVOICE_COLUMNS,
    cells=invoice_cells,
    invoice_key="pk",
    on_network=lambda network: Q(pk__in=Option.objects.filter(network=network).values("invoice")),
    related=("options",),
)


class Payments(ApiView):
    permission_classes = [may("payments:read")]

    @describe(
        "Payments that came, newest first",
        data=array(PAYMENT),
        meta=shape(**PAGED),
        parameters=PAYMENTS.parameters(),
        errors=[400, 403],
        login=True,
        file=True,
    )
    def get(self, request: Request) -> HttpResponseBase:
        return PAYMENTS.respond(request, show_payment)


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
        parameters=INVOICES.parameters(),
        errors=[400, 403],
        login=True,
        file=True,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """`network`: those that could be paid there."""
        return INVOICES.respond(request, show_invoice)


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
