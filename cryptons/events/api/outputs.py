"""Outputs of the webhooks API."""

from typing import Any

import orjson
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cryptons.api.outputs import Output
from cryptons.events.webhook_models import WebhookDelivery, WebhookEndpoint


class WebhookEndpointSerializer(Output):
    id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    enabled = serializers.BooleanField(source="is_enabled")
    disabledBy = serializers.ChoiceField(
        [choice for choice in WebhookEndpoint.DisabledBy.values if choice], source="disabled_by", allow_null=True
    )
    failures = serializers.IntegerField(help_text="In a row")
    failingSince = serializers.DateTimeField(source="failing_since", allow_null=True)
    oldSecretUntil = serializers.DateTimeField(
        source="old_secret_until", allow_null=True, help_text="Until then the secret of before the last rotation signs as well"
    )
    createdAt = serializers.DateTimeField(source="created_at")

    def read_disabledBy(self, endpoint: WebhookEndpoint) -> str | None:
        return endpoint.disabled_by or None


class NewWebhookEndpointSerializer(WebhookEndpointSerializer):
    secret = serializers.CharField(help_text="`whsec_` and base64; it is told only now")


class WebhookSecretSerializer(Output):
    secret = serializers.CharField(help_text="`whsec_` and base64; it is told only now")
    oldSecretUntil = serializers.DateTimeField(source="old_secret_until", help_text="Until then both secrets sign")


class WebhookDeliverySerializer(Output):
    id = serializers.UUIDField()
    webhookId = serializers.CharField(source="webhook_id", help_text="The header `webhook-id` of each attempt")
    endpointId = serializers.UUIDField(source="endpoint_id")
    type = serializers.CharField()
    status = serializers.ChoiceField(WebhookDelivery.Status.values)
    attempts = serializers.IntegerField()
    nextAttemptAt = serializers.DateTimeField(source="next_try_at", allow_null=True)
    lastAttemptAt = serializers.DateTimeField(source="tried_at", allow_null=True)
    request = serializers.SerializerMethodField(help_text="The body as it is sent")
    responseStatus = serializers.IntegerField(source="answer_status", allow_null=True)
    response = serializers.CharField(source="answer", help_text="The body of the last answer, at most 4 kB of it")
    error = serializers.CharField()
    createdAt = serializers.DateTimeField(source="created_at")

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_request(self, delivery: WebhookDelivery) -> Any:
        return self.read_request(delivery)

    def read_request(self, delivery: WebhookDelivery) -> Any:
        return orjson.loads(delivery.body)


class RedeliverySerializer(Output):
    count = serializers.IntegerField(help_text="Deliveries that are sent again")
