"""Webhook endpoints and what was sent to them."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import Invalid
from cryptons.api.permissions import may
from cryptons.api.schema import TIME, describe, describe_page, one_of
from cryptons.api.views import ApiView, get_or_404, paginated, success
from cryptons.db import now_as_stored
from cryptons.events import endpoints
from cryptons.events.api.inputs import PeriodInput, WebhookEndpointChangesInput, WebhookEndpointInput
from cryptons.events.api.outputs import (
    NewWebhookEndpointSerializer,
    RedeliverySerializer,
    WebhookDeliverySerializer,
    WebhookEndpointSerializer,
    WebhookSecretSerializer,
)
from cryptons.events.types import EVENT_TYPES, TEST
from cryptons.events.webhook_models import WebhookDelivery, WebhookEndpoint

SCOPE = "webhooks:write"
ID = {"type": "string", "format": "uuid"}
FILTERS: dict[str, tuple[str, serializers.Field[Any, Any, Any, Any]]] = {
    "endpoint": ("endpoint", serializers.UUIDField()),
    "status": ("status", serializers.ChoiceField(WebhookDelivery.Status.values)),
    "event": ("type", serializers.ChoiceField([*EVENT_TYPES, TEST])),
    "subject": ("subject_id", serializers.UUIDField()),
    "since": ("created_at__gte", serializers.DateTimeField()),
    "until": ("created_at__lt", serializers.DateTimeField()),
}
"""The column that each filter is about, and how its text is read."""
NAMES = {"enabled": "is_enabled"}
"""Fields of the model that the API calls otherwise."""


class EndpointView(ApiView):
    permission_classes = [may(SCOPE)]

    def endpoint(self, endpoint_id: str) -> WebhookEndpoint:
        return get_or_404(WebhookEndpoint.objects.all(), endpoint_id, _("Webhook endpoint not found"))


class ActView(EndpointView):
    """Asks for the right to change what is there, although POST adds elsewhere."""

    permission_classes = [may(SCOPE, "PATCH")]


class WebhookEndpoints(EndpointView):
    @describe_page("List webhook endpoints", data=WebhookEndpointSerializer, errors=[400], scope=SCOPE)
    def get(self, request: Request) -> Response:
        """Newest first."""
        return paginated(request, WebhookEndpoint.objects.all(), WebhookEndpointSerializer.serialize)

    @describe(
        "Make a webhook endpoint",
        data=NewWebhookEndpointSerializer,
        status=201,
        body=WebhookEndpointInput,
        errors=[400, 409, 415],
        scope=SCOPE,
    )
    def post(self, request: Request) -> Response:
        """Its secret is in this answer only. What is sent to it, `webhooks` in this document describes."""
        endpoint = WebhookEndpoint()
        _set(endpoint, self.valid(WebhookEndpointInput))
        secret = endpoints.add_endpoint(endpoint)
        return success({**WebhookEndpointSerializer.serialize(endpoint), "secret": secret}, status=201)


class OneWebhookEndpoint(EndpointView):
    @describe("Get a webhook endpoint", data=WebhookEndpointSerializer, errors=[404], scope=SCOPE)
    def get(self, request: Request, endpoint_id: str) -> Response:
        return success(WebhookEndpointSerializer.serialize(self.endpoint(endpoint_id)))

    @describe(
        "Change a webhook endpoint",
        data=WebhookEndpointSerializer,
        body=WebhookEndpointChangesInput,
        errors=[400, 404, 415],
        scope=SCOPE,
    )
    def patch(self, request: Request, endpoint_id: str) -> Response:
        """What is left out stays as it is."""
        endpoint = self.endpoint(endpoint_id)
        _set(endpoint, self.valid(WebhookEndpointChangesInput))
        endpoints.change_endpoint(endpoint)
        return success(WebhookEndpointSerializer.serialize(endpoint))

    @describe("Delete a webhook endpoint", data=None, status=204, errors=[404], scope=SCOPE)
    def delete(self, request: Request, endpoint_id: str) -> Response:
        """With its deliveries; what waits is not sent any more."""
        endpoints.remove_endpoint(self.endpoint(endpoint_id))
        return Response(status=204)


class SendTestEvent(ActView):
    @describe("Send a test event", data=WebhookDeliverySerializer, status=202, errors=[404], scope=SCOPE)
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Queues a `webhook.test`: `GET /api/webhook-deliveries` says what came of it."""
        delivery = endpoints.send_test(self.endpoint(endpoint_id), at=now_as_stored())
        return success(WebhookDeliverySerializer.serialize(delivery), status=202)


class RotateWebhookSecret(ActView):
    @describe("Rotate a webhook secret", data=WebhookSecretSerializer, errors=[404], scope=SCOPE)
    def post(self, request: Request, endpoint_id: str) -> Response:
        """For 24 hours each request has two signatures, one by the old and one by the new secret."""
        endpoint = self.endpoint(endpoint_id)
        endpoints.rotate_secret(endpoint, at=now_as_stored())
        return success(WebhookSecretSerializer.serialize(endpoint))


class RedeliverWebhooks(ActView):
    @describe("Redeliver a period", data=RedeliverySerializer, status=202, body=PeriodInput, errors=[400, 404, 415], scope=SCOPE)
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Sends again, under the same `webhook-id`, what the endpoint was told of in this period, also what it has received."""
        endpoint, period = self.endpoint(endpoint_id), self.valid(PeriodInput)
        count = endpoints.redeliver(endpoint, since=period["since"], until=period["until"], at=now_as_stored())
        return success({"count": count}, status=202)


class WebhookDeliveries(EndpointView):
    @describe_page(
        "List webhook deliveries",
        data=WebhookDeliverySerializer,
        parameters=[
            OpenApiParameter("endpoint", ID),
            OpenApiParameter("status", one_of(*WebhookDelivery.Status.values)),
            OpenApiParameter("event", one_of(*EVENT_TYPES, TEST)),
            OpenApiParameter("subject", ID, description="What the events are about"),
            OpenApiParameter("since", TIME, description="The first moment"),
            OpenApiParameter("until", TIME, description="The moment after the last"),
        ],
        errors=[400],
        scope=SCOPE,
    )
    def get(self, request: Request) -> Response:
        """Newest first. They are kept for 30 days."""
        return paginated(request, _filtered(request), WebhookDeliverySerializer.serialize)


class RedeliverWebhook(ActView):
    @describe("Redeliver a webhook", data=WebhookDeliverySerializer, status=202, errors=[404], scope=SCOPE)
    def post(self, request: Request, delivery_id: str) -> Response:
        """Under the same `webhook-id`."""
        delivery = get_or_404(WebhookDelivery.objects.all(), delivery_id, _("Webhook delivery not found"))
        endpoints.redeliver_some([delivery], at=now_as_stored())
        delivery.refresh_from_db()
        return success(WebhookDeliverySerializer.serialize(delivery), status=202)


def _set(endpoint: WebhookEndpoint, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(endpoint, NAMES.get(name, name), value)


def _filtered(request: Request) -> QuerySet[WebhookDelivery]:
    """Select what the query string asks for. Raises Invalid with one detail for each filter that cannot be used."""
    query, problems, found = request.query_params, dict[str, str](), WebhookDelivery.objects.all()
    for name, (lookup, field) in FILTERS.items():
        if text := query.get(name, ""):
            try:
                found = found.filter(**{lookup: field.run_validation(text)})
            except serializers.ValidationError as error:
                problems[name] = " ".join(map(str, error.detail))
    if problems:
        raise Invalid.fields(problems)
    return found
