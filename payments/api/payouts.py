"""Payouts: integrators list and draft them; staff approve them in the admin."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens import actor_name
from cryptons.api.errors import Invalid, NotFound
from cryptons.api.idempotency import idempotent
from cryptons.api.inputs import Input, StrictString, StrictUUID
from cryptons.api.permissions import may
from cryptons.api.schema import describe, describe_page, idempotency_key
from cryptons.api.views import ApiView, success
from cryptons.coins import LIGHTNING
from cryptons.money import UNITS, parse_coin
from payments.accounting.ledger import COLUMNS, ledger
from payments.api.listing import Listing
from payments.api.outputs import PayoutSerializer
from payments.errors import NetworkNotOffered
from payments.models import Invoice, Payment, Payout
from payments.payouts.destinations import BadDestination, can_be_refunded_over, check_destination
from payments.payouts.workflow import draft_payout

IDEMPOTENCY_KEY = idempotency_key("The same key and body: the same payout")


def payout_cells(payouts: QuerySet[Payout]) -> Iterator[Sequence[Any]]:
    """Write payouts in the order of the ledger's COLUMNS."""
    return (row.cells() for row in ledger(Payment.objects.none(), payouts))


PAYOUTS = Listing(
    name="payouts", rows=Payout.objects.all, statuses=Payout.Status.values, moment="created_at", columns=COLUMNS, cells=payout_cells
)


class PayoutInput(Input):
    example = {"invoiceId": "01a21c3e-c0fd-70d0-8283-c19ad8f36555", "kind": "excess", "network": "BTC", "reason": "Paid too much"}

    invoiceId = StrictUUID()
    kind = serializers.ChoiceField(Payout.Kind.values)
    network = serializers.ChoiceField(list(UNITS))
    amount = StrictString(max_length=40, required=False)
    destination = StrictString(max_length=2000, required=False)
    reason = StrictString(max_length=200)


class Payouts(ApiView):
    def get_permissions(self) -> list[Any]:
        return [may("payouts:send" if self.request.method == "POST" else "payments:read")()]

    @describe_page(
        "List payouts",
        data=PayoutSerializer,
        parameters=PAYOUTS.parameters(),
        errors=[400],
        scope="payments:read",
        file=True,
    )
    def get(self, request: Request) -> HttpResponseBase:
        return PAYOUTS.respond(request, PayoutSerializer.serialize)

    @describe(
        "Draft a payout",
        data=PayoutSerializer,
        status=201,
        body=PayoutInput,
        parameters=[IDEMPOTENCY_KEY],
        errors=[400, 404, 409, 415, 422],
        scope="payouts:send",
    )
    @idempotent
    def post(self, request: Request, *, token: UUID) -> Response:
        """Without an amount, the payout is for all that its kind allows. Staff approve it in the admin."""
        values = self.valid(PayoutInput)
        network, now = values["network"], timezone.now()
        done = Payout.objects.filter(pk=token).first()
        if done is not None:
            return success(PayoutSerializer.serialize(done), status=201)
        if not can_be_refunded_over(network):
            offered = [unit.name for code, unit in UNITS.items() if can_be_refunded_over(code)]
            raise Invalid.fields({"network": str(NetworkNotOffered(UNITS[network].name, offered))})
        amount = _amount(values["amount"], network) if values.get("amount") else None
        destination = values.get("destination", "")
        if destination:
            if amount is None and network == LIGHTNING:
                raise Invalid.fields({"amount": _("A payout to a Lightning invoice needs its amount.")})
            try:
                destination = check_destination(network, destination, amount or 0, at=now)
            except BadDestination as error:
                raise Invalid.fields({"destination": str(error)}) from error
        try:
            payout = draft_payout(
                values["invoiceId"],
                kind=values["kind"],
                network=network,
                amount_base=amount,
                destination=destination,
                actor=actor_name(request),
                reason=values["reason"],
                at=now,
                payout_id=token,
            )
        except Invoice.DoesNotExist:
            raise NotFound(_("Invoice not found")) from None
        return success(PayoutSerializer.serialize(payout), status=201)


def _amount(text: str, network: str) -> int:
    try:
        return parse_coin(Decimal(text), network)
    except (ValueError, ArithmeticError) as error:
        raise Invalid.fields({"amount": _("Must be an amount in coins.")}) from error
