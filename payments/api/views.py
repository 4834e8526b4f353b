from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import NotFound
from cryptons.api.schema import DECIMAL, ID, TEXT, TIME, WHOLE, YES_NO, array, describe, mapping, nullable, one_of, shape
from cryptons.api.serializers import Id, Strict, Text
from cryptons.api.views import ApiView, parse_id, success
from cryptons.celery import soon
from cryptons.money import format_coin, format_fiat, minor_digits
from payments.invoices.buyer_view import Progress, read_progress
from payments.models import Invoice
from payments.networks.registry import is_sandbox
from payments.networks.sandbox.plays import PLAYS, play
from payments.rates.current import current_rates
from payments.tasks import follow_networks

PROGRESS = shape(
    id=ID,
    status=one_of(*Invoice.Status.values),
    flags=array(TEXT),
    price=DECIMAL,
    currency=TEXT,
    network=TEXT,
    address=TEXT,
    destinationTag=nullable(TEXT),
    amount=DECIMAL,
    amountRemaining=DECIMAL,
    paid=DECIMAL,
    uri=TEXT,
    lightning=nullable(TEXT),
    confirmations=WHOLE,
    confirmationsNeeded=WHOLE,
    createdAt=TIME,
    expiresAt=TIME,
    sandbox=YES_NO,
)
RATE = shape(rate=DECIMAL, currency=TEXT, quotedAt=TIME, ageSeconds=WHOLE, sources=mapping(TEXT))


class InvoiceStatus(ApiView):
    """Who knows the id may ask, as often as a pay page does: one query."""

    @describe("How an invoice stands: for whoever knows its id", data=PROGRESS, errors=[404])
    def get(self, request: Request, invoice_id: str) -> Response:
        try:
            progress = read_progress(parse_id(invoice_id, "Invoice"))
        except Invoice.DoesNotExist:
            raise NotFound("Invoice not found") from None
        return success(show_progress(progress), headers={"Cache-Control": "no-store"})


def show_progress(progress: Progress) -> dict[str, Any]:
    return {
        "id": progress.invoice_id,
        "status": progress.status,
        "flags": sorted(progress.flags),
        "price": format_fiat(progress.price_minor, progress.currency),
        "currency": progress.currency,
        "network": progress.network,
        "address": progress.address,
        "destinationTag": progress.destination_tag or None,
        "amount": progress.due_text,
        "amountRemaining": progress.remaining_text if progress.remaining_minor else format_coin(0, progress.network),
        "paid": format_fiat(progress.paid_seen_minor, progress.currency),
        "uri": progress.uri,
        "lightning": progress.payment_request or None,
        "confirmations": progress.confirmations,
        "confirmationsNeeded": progress.confirmations_needed,
        "createdAt": progress.created_at,
        "expiresAt": progress.expires_at,
        "sandbox": is_sandbox(),
    }


class Rates(ApiView):
    @describe("What a coin costs now", data=mapping(RATE))
    def get(self, request: Request) -> Response:
        now = timezone.now()
        digits = minor_digits(settings.CURRENCY)
        rates = {
            coin: {
                "rate": f"{rate.minor_per_coin.scaleb(-digits):.{digits}f}",
                "currency": settings.CURRENCY,
                "quotedAt": rate.quoted_at,
                "ageSeconds": max(0, int((now - rate.quoted_at).total_seconds())),
                "sources": rate.sources,
            }
            for coin, rate in current_rates().items()
        }
        return success(rates, headers={"Cache-Control": "public, max-age=30"})


class PlayInput(Strict):
    invoiceId = Id()  # noqa: N815
    play = Text(max_length=20)


class SandboxPay(ApiView):
    @describe(
        "Play, in the sandbox, what a buyer and the network can do",
        data=shape(invoiceId=ID, play=TEXT, does=TEXT),
        status=202,
        body=shape(invoiceId=ID, play=one_of(*PLAYS)),
        errors=[400, 404, 415],
    )
    def post(self, request: Request) -> Response:
        if not is_sandbox():
            raise NotFound("There is no sandbox here: this shop takes real payments.")
        wanted = self.valid(PlayInput)
        try:
            play(wanted["invoiceId"], wanted["play"], at=timezone.now())
        except Invoice.DoesNotExist:
            raise NotFound("Invoice not found") from None
        soon(follow_networks)
        return success({"invoiceId": wanted["invoiceId"], "play": wanted["play"], "does": PLAYS[wanted["play"]]}, status=202)
