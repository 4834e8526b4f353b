"""Invoices and payments, for those who may read payments: as lists, and as CSV files."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from django.db.models import Q, QuerySet
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from cryptons.api.permissions import may
from cryptons.api.schema import describe_page
from cryptons.api.views import ApiView
from cryptons.money import format_fiat
from payments.accounting.ledger import COLUMNS, ledger, order_of, pages
from payments.api.listing import Listing
from payments.api.outputs import InvoiceSerializer, PaymentSerializer
from payments.models import Invoice, Option, Payment, Payout

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
    tells_changes=True,
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

    @describe_page(
        "List payments",
        data=PaymentSerializer,
        parameters=PAYMENTS.parameters(),
        errors=[400],
        scope="payments:read",
        file=True,
    )
    def get(self, request: Request) -> HttpResponseBase:
        return PAYMENTS.respond(request, PaymentSerializer.serialize)


class Invoices(ApiView):
    permission_classes = [may("payments:read")]

    @describe_page(
        "List invoices",
        data=InvoiceSerializer,
        parameters=INVOICES.parameters(),
        errors=[400],
        scope="payments:read",
        file=True,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List invoices. The filter `network` selects those that can be paid there."""
        return INVOICES.respond(request, InvoiceSerializer.serialize)
