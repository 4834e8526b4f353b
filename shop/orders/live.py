"""What streams of an order tell: that something has changed which its buyer sees."""

import hashlib
from collections.abc import Collection
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from cryptons.chunks import chunks
from cryptons.serving.live_answers import LiveAnswer, live_response
from payments.invoices.fingerprints import fingerprint_payments
from shop.models import Order


def read_order_marks(order_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return for each order a text that becomes another one with all that its buyer sees. One that does not exist is left out."""
    at = timezone.now()
    marks: dict[UUID, str] = {}
    for some in chunks(order_ids):
        payments = fingerprint_payments(some, at=at)
        for pk, version in Order.objects.filter(pk__in=some).values_list("pk", "version"):
            marks[pk] = hashlib.sha256(repr((version, payments.get(pk))).encode()).hexdigest()[:16]
    return marks


def page_stream(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Tell a page when it must ask for its live part: that has forms and a header of one visitor, so it is not sent itself."""
    return live_response(request, LiveAnswer("change", order_id, read_order_marks, write=lambda: "{}"))
