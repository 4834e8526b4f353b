"""The webhooks by which others report payments. A report is a hint: the networks are read, and what they say decides."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import NotFound
from cryptons.api.inputs import Input, StrictInteger, StrictMoment, StrictString
from cryptons.api.outputs import DECIMAL
from cryptons.api.schema import TEXT, TIME, describe
from cryptons.api.views import ApiView, success
from cryptons.celery import enqueue
from cryptons.coins import CARD
from payments.api.outputs import WebhookReceiptSerializer
from payments.errors import HintNotSigned
from payments.models import Invoice
from payments.networks.registry import offered_networks
from payments.networks.stripe.signature import signed_at
from payments.sync.webhook_hints import check_signature, is_first, is_fresh, networks_of
from payments.tasks import follow_network


@extend_schema_field({"oneOf": [DECIMAL, {"type": "number", "minimum": 0}]})
class Amount(serializers.DecimalField):
    """A decimal as text or number. Nothing is calculated from it."""

    def __init__(self) -> None:
        super().__init__(max_digits=40, decimal_places=24, min_value=0)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool | list | dict):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"oneOf": [TIME, {"type": "integer", "minimum": 0}]})
class Moment(StrictMoment):
    """A time in ISO 8601 or in Unix seconds, as in the header."""

    def to_internal_value(self, value: Any) -> datetime:
        if isinstance(value, int) and not isinstance(value, bool):
            if not 0 <= value < 10**11:
                self.fail("invalid", format="Unix seconds")
            return datetime.fromtimestamp(value, UTC)
        return super().to_internal_value(value)


class HintData(Input):
    orderId = StrictString(max_length=80, help_text="The order's id or number")
    transactionHash = StrictString(max_length=128, allow_blank=True)
    amount = Amount()
    confirmations = StrictInteger(min_value=0)
    timestamp = Moment(required=False)


class HintInput(Input):
    example = {
        "event": "payment.received",
        "data": {"orderId": "2611-K3TTLE", "transactionHash": "", "amount": "0.00041234", "confirmations": 1},
    }

    event = StrictString(max_length=80)
    data = HintData()  # type: ignore[assignment]  # the name of the field
    signature = StrictString(
        required=False, max_length=128, help_text="Without the headers: HMAC-SHA256 in hex of the rest as canonical JSON"
    )


HEADERS = [
    OpenApiParameter("webhook-id", TEXT, location="header", description="Unique for each message; the same when a message is sent again"),
    OpenApiParameter("webhook-timestamp", TEXT, location="header", description="When the message was sent, in Unix seconds"),
    OpenApiParameter("webhook-signature", TEXT, location="header", description="`v1,` and base64, several separated by spaces"),
]


class PaymentWebhook(ApiView):
    authentication_classes = ()

    @describe(
        "Report a payment",
        data=WebhookReceiptSerializer,
        status=202,
        also=[200],
        body=HintInput,
        parameters=HEADERS,
        errors=[400, 401, 404, 415],
    )
    def post(self, request: Request) -> Response:
        """Tells the shop to read the networks of an order now. What the networks say decides, not what this message says.

        202: they will be read. 200: nothing happens, because the message is older than five minutes or was received before.
        """
        now, body = timezone.now(), request.body
        request.data  # noqa: B018  # a body that is not JSON is a 400 even without a signature
        signed = check_signature(request.headers, body)
        data = self.valid(HintInput)["data"]
        if not is_fresh(signed.sent_at or data.get("timestamp"), at=now):
            return success(_receipt(ignored="stale"))
        invoice_ids = list(Invoice.objects.for_order(data["orderId"]).values_list("pk", flat=True))
        if not invoice_ids:
            raise NotFound(_("Order not found"))
        if not is_first(signed.webhook_id, at=now):
            return success(_receipt(ignored="duplicate"))
        networks = networks_of(invoice_ids)
        for network in networks:
            enqueue(follow_network, network, expires=60)
        return success(_receipt(networks), status=202)


STRIPE_HEADER = OpenApiParameter(
    "stripe-signature", TEXT, location="header", description="`t=` Unix seconds `,v1=` HMAC-SHA256 in hex of `t.body`; several `v1`"
)


class StripeEventInput(Input):
    """An event of Stripe. Nothing but its id and its signature is read."""

    example = {"id": "evt_1QxKettle"}

    id = StrictString(max_length=128)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value({"id": data.get("id")} if isinstance(data, dict) else data)


class StripeWebhook(ApiView):
    authentication_classes = ()

    @describe(
        "Report an event of Stripe",
        data=WebhookReceiptSerializer,
        status=202,
        also=[200],
        body=StripeEventInput,
        parameters=[STRIPE_HEADER],
        errors=[400, 401, 415],
    )
    def post(self, request: Request) -> Response:
        """Tells the shop to ask Stripe for its newest events now. What Stripe's API says decides, not what this message says.

        202: it will be asked. 200: nothing happens, because the message is older than five minutes, was received before, or cards are off.
        """
        now, body = timezone.now(), request.body
        request.data  # noqa: B018  # a body that is not JSON is a 400 even without a signature
        sent_at = signed_at(settings.STRIPE_WEBHOOK_SECRET, body, request.headers.get("stripe-signature", ""))
        if sent_at is None:
            raise HintNotSigned
        event_id = self.valid(StripeEventInput)["id"]
        if not is_fresh(sent_at, at=now):
            return success(_receipt(ignored="stale"))
        if not is_first(event_id, at=now):
            return success(_receipt(ignored="duplicate"))
        networks = [CARD] if CARD in offered_networks() else []
        for network in networks:
            enqueue(follow_network, network, expires=60)
        return success(_receipt(networks), status=202 if networks else 200)


def _receipt(queued: Sequence[str] = (), ignored: str | None = None) -> dict[str, Any]:
    return WebhookReceiptSerializer.serialize({"queued": list(queued), "ignored": ignored})
