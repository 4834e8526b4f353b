"""Inputs of the webhooks API."""

from typing import Any

from django.core.exceptions import ValidationError as BadUrl
from django.utils.translation import gettext as _
from rest_framework import serializers

from cryptons.api.inputs import Input, StrictBoolean, StrictString
from cryptons.events.public_address import check_url
from cryptons.events.types import EVENT_TYPES
from cryptons.events.webhook_models import URL_LENGTH


def endpoint_url(text: str) -> None:
    try:
        check_url(text)
    except BadUrl as error:
        raise serializers.ValidationError(error.messages) from error


class WebhookEndpointInput(Input):
    example = {"url": "https://erp.example.com/cryptons", "events": ["order.paid", "stock.changed"], "description": "ERP"}

    url = StrictString(max_length=URL_LENGTH, validators=[endpoint_url], help_text="Begins with https://, and its host is public")
    events = serializers.ListField(child=serializers.ChoiceField(EVENT_TYPES), min_length=1, max_length=len(EVENT_TYPES))
    description = StrictString(max_length=200, required=False, allow_blank=True)
    enabled = StrictBoolean(required=False, default=True)


class WebhookEndpointChangesInput(Input):
    example = {"events": ["order.paid"], "enabled": True}

    url = StrictString(max_length=URL_LENGTH, validators=[endpoint_url], required=False)
    events = serializers.ListField(child=serializers.ChoiceField(EVENT_TYPES), min_length=1, max_length=len(EVENT_TYPES), required=False)
    description = StrictString(max_length=200, required=False, allow_blank=True)
    enabled = StrictBoolean(required=False, help_text="Enabling it again also sends what waits")


class PeriodInput(Input):
    example = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00Z"}

    since = serializers.DateTimeField(help_text="The first moment")
    until = serializers.DateTimeField(help_text="The moment after the last")

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if values["since"] >= values["until"]:
            raise serializers.ValidationError({"until": [_("Must be after the beginning.")]})
        return values
