"""What staff do with webhook endpoints, by the admin or the API. Each act is in the audit log."""

import secrets
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from cryptons.audit.writing import audit, audit_all
from cryptons.chunks import CHUNK, chunks, delete_in_chunks
from cryptons.db import atomic, new_id
from cryptons.events.deliveries import draft_delivery, endpoints_changed
from cryptons.events.types import TEST
from cryptons.events.webhook_models import WebhookDelivery, WebhookEndpoint
from cryptons.standard_webhooks import PREFIX

MOST_ENDPOINTS = 50
"""Each has a thread of its own in the worker while it is sent to."""
SECRET_BYTES = 32
OVERLAP = timedelta(hours=24)
"""How long both secrets sign after a rotation."""


class TooManyEndpoints(Exception):
    """The shop has MOST_ENDPOINTS already."""


def new_secret() -> str:
    return PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def add_endpoint(endpoint: WebhookEndpoint) -> str:
    """Store a new endpoint. Returns its secret, to be shown once. Raises TooManyEndpoints."""
    check_number(endpoint)
    endpoint.secret = secret = new_secret()
    change_endpoint(endpoint)
    return secret


def check_number(endpoint: WebhookEndpoint) -> None:
    """Raise TooManyEndpoints for a new one that would be one too many."""
    if endpoint._state.adding and WebhookEndpoint.objects.count() >= MOST_ENDPOINTS:
        raise TooManyEndpoints(_("There are %(most)d webhook endpoints already, which is the most.") % {"most": MOST_ENDPOINTS})


def change_endpoint(endpoint: WebhookEndpoint) -> None:
    """Store address, description, events and whether it is enabled; what a sender stores at the same time stays as it is.

    What waits for an endpoint that is enabled again is due at once.
    """
    with atomic():
        is_new = endpoint._state.adding
        endpoint.events = sorted(set(endpoint.events))
        if not endpoint.is_enabled:
            endpoint.disabled_by = endpoint.disabled_by or WebhookEndpoint.DisabledBy.STAFF
        elif endpoint.disabled_by:
            endpoint.disabled_by, endpoint.failures, endpoint.failing_since = "", 0, None
            WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=0, failing_since=None)
            now = timezone.now()
            WebhookDelivery.objects.waiting().filter(endpoint=endpoint.pk, next_try_at__gt=now).update(next_try_at=now)
        fields = ["url", "description", "events", "is_enabled", "disabled_by"]
        endpoint.save(force_insert=is_new, update_fields=None if is_new else fields)
        endpoints_changed()


def remove_endpoint(endpoint: WebhookEndpoint) -> None:
    """Delete the endpoint, after its deliveries, of which there may be very many: nothing is sent while they go."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(is_enabled=False, disabled_by=WebhookEndpoint.DisabledBy.STAFF)
    endpoints_changed()
    delete_in_chunks(endpoint.deliveries.all())
    with atomic():
        endpoint.delete()
        endpoints_changed()


def rotate_secret(endpoint: WebhookEndpoint, *, at: datetime) -> str:
    """Give the endpoint a new secret, and return it. Both sign for OVERLAP; a secret from before the last rotation no longer does."""
    secret = new_secret()
    with atomic():
        endpoint.old_secret, endpoint.old_secret_until, endpoint.secret = endpoint.secret, at + OVERLAP, secret
        endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
    return secret


def send_test(endpoint: WebhookEndpoint, *, at: datetime) -> WebhookDelivery:
    """Queue an event that says nothing. The endpoint need not have chosen its type."""
    with atomic():
        delivery = draft_delivery(endpoint.pk, TEST, new_id(), 1, {}, at=at)
        delivery.save(force_insert=True)
        audit("send a test event", endpoint)
    return delivery


def redeliver(endpoint: WebhookEndpoint, *, since: datetime, until: datetime, at: datetime) -> int:
    """Send again what the endpoint was told of in this period, also what it has received. Returns how many deliveries."""
    chosen = endpoint.deliveries.filter(created_at__gte=since, created_at__lt=until)
    count = _again(chosen, at=at)
    audit("redeliver", endpoint, {"since": ("", since), "until": ("", until), "count": ("", count)})
    return count


def redeliver_some(deliveries: Iterable[WebhookDelivery], *, at: datetime) -> int:
    """Send these again, under the same webhook-id. Returns how many."""
    count = 0
    with atomic():
        for some in chunks(deliveries):
            audit_all("redeliver", [(delivery, {}) for delivery in some])
            count += _again(WebhookDelivery.objects.filter(pk__in=[delivery.pk for delivery in some]), at=at)
    return count


def _again(chosen: QuerySet[WebhookDelivery], *, at: datetime) -> int:
    """Let them be due, a chunk in each statement; what was sent in between is sent once more."""
    count, rest = 0, chosen.order_by("pk")
    while keys := list(rest.values_list("pk", flat=True)[:CHUNK]):
        some = WebhookDelivery.objects.filter(pk__in=keys)
        some.update(status=WebhookDelivery.Status.WAITING, attempts=0, next_try_at=at, error="")
        count, rest = count + len(keys), rest.filter(pk__gt=keys[-1])
    return count
