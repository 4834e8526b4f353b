"""Payouts for integrators: read, and drafted. Agreeing to one is a person's act, in the admin."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens import api_user
from cryptons.api.errors import Invalid, NotFound
from cryptons.api.idempotency import idempotent
from cryptons.api.permissions import may
from cryptons.api.schema import DECIMAL, ID, PAGED, TEXT, TIME, array, describe, needing, nullable, one_of, shape
from cryptons.api.serializers import Id, Strict, Text
from cryptons.api.views import ApiView, success
from cryptons.coins import LIGHTNING
from cryptons.money import UNITS, format_coin, format_fiat, format_rate, parse_coin
from payments.accounting.ledger import COLUMNS, ledger
from payments.api.listing import Listing
from payments.models import Invoice, Payment, Payout
from payments.payouts.destinations import BadDestination, check_destination
from payments.payouts.workflow import draft_payout

PAYOUT = shape(
    id=ID,
    invoiceId=ID,
    kind=one_of(*Payout.Kind.values),
    status=one_of(*Payout.Status.values),
    network=one_of(*UNITS),
    amount=DECIMAL,
    destination=nullable(TEXT),
    value=DECIMAL,
    currency=TEXT,
    rate=DECIMAL,
    reference=nullable(TEXT),
    fee=nullable(DECIMAL),
    createdAt=TIME,
    sentAt=nullable(TIME),
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", {"type": "string", "maxLength": 255}, OpenApiParameter.HEADER, description="The same key and body: the same payout"
)


def show_payout(payout: Payout) -> dict[str, Any]:
    return {
        "id": payout.pk,
        "invoiceId": payout.invoice_id,
        "kind": payout.kind,
        "status": payout.status,
        "network": payout.network,
        "amount": payout.amount_text,
        "destination": payout.destination or None,
        "value": format_fiat(payout.value_minor, payout.currency),
        "currency": payout.currency,
        "rate": format_rate(payout.minor_per_coin, payout.currency),
        "reference": payout.reference,
        "fee": None if payout.fee_base is None else format_coin(payout.fee_base, payout.network),
        "createdAt": payout.created_at,
        "sentAt": payout.sent_at,
    }


def payout_cells(payouts: QuerySet[Payout]) -> Iterator[Sequence[Any]]:
    """Write payouts in the order of the ledger's COLUMNS."""
    return (row.cells() for row in ledger(Payment.objects.none(), payouts))


PAYOUTS = Listing(
    name="payouts", rows=Payout.objects.all, statuses=Payout.Status.values, moment="created_at", columns=COLUMNS, cells=payout_cells
)


class PayoutInput(Strict):
    invoiceId = Id()  # noqa: N815
    kind = serializers.ChoiceField(Payout.Kind.values)
    network = serializers.ChoiceField(list(UNITS))
    amount = Text(max_length=40, required=False)
    destination = Text(max_length=2000, required=False)
    reason = Text(max_length=200)


class Payouts(ApiView):
    permission_classes = [may("payouts:send")]

    @describe(
        "Money that goes back to buyers, newest first",
        data=array(PAYOUT),
        meta=shape(**PAGED),
        parameters=PAYOUTS.parameters(),
        errors=[400, 403],
        login=True,
        file=True,
    )
    def get(self, request: Request) -> HttpResponseBase:
        return PAYOUTS.respond(request, show_payout)

    @describe(
        "Draft a payout: without an amount all that this kind allows; a person agrees to it in the admin",
        data=PAYOUT,
        status=201,
        body=needing(
            *("invoiceId", "kind", "network", "reason"),
            invoiceId=ID,
            kind=one_of(*Payout.Kind.values),
            network=one_of(*UNITS),
            amount=TEXT,
            destination=TEXT,
            reason=TEXT,
        ),
        parameters=[IDEMPOTENCY_KEY],
        errors=[400, 403, 404, 409, 415, 422],
        login=True,
    )
    @idempotent
    def post(self, request: Request, *, token: UUID) -> Response:
        wanted = self.valid(PayoutInput)
        network, now = wanted["network"], timezone.now()
        done = Payout.objects.filter(pk=token).first()
        if done is not None:
            return success(show_payout(done), status=201)
        amount = _amount(wanted["amount"], network) if wanted.get("amount") else None
        destination = wanted.get("destination", "")
        if destination:
            if amount is None and network == LIGHTNING:
                raise Invalid("A payout to a Lightning invoice needs its amount.", details=[{"field": "amount", "message": "Needed here."}])
            try:
                destination = check_destination(network, destination, amount or 0, at=now)
            except BadDestination as error:
                raise Invalid("Some values cannot be accepted.", details=[{"field": "destination", "message": str(error)}]) from error
        try:
            payout = draft_payout(
                wanted["invoiceId"],
                kind=wanted["kind"],
                network=network,
                amount_base=amount,
                destination=destination,
                actor=api_user(request).get_username(),
                reason=wanted["reason"],
                at=now,
                payout_id=token,
            )
        except Invoice.DoesNotExist:
            raise NotFound("Invoice not found") from None
        return success(show_payout(payout), status=201)


def _amount(text: str, network: str) -> int:
    try:
        return parse_coin(Decimal(text), network)
    except (ValueError, ArithmeticError) as error:
        raise Invalid("Some values cannot be accepted.", details=[{"field": "amount", "message": "Must be an amount in coins."}]) from error
