"""Write a delivery for each endpoint that wants an event, in the event's transaction.

Each process keeps what the endpoints want, so an event costs no query while there is none. A token in the shared cache tells of changes;
it is read at most once a second, so another process takes so long to notice a new endpoint. After KEEP_SECONDS it reads the endpoints in
any case: the cache may have been away when the token was renewed, and MongoDB shows them as they were when the transaction began, which may
have been before the change that the token tells of.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.core.cache import caches

from cryptons.db import on_commit
from cryptons.events.types import told
from cryptons.events.webhook_models import WebhookDelivery, WebhookEndpoint
from cryptons.kept_sql import insert

TOKEN = "webhook-endpoints"  # noqa: S105 (the key of a cache)
REMEMBER_SECONDS = 1
KEEP_SECONDS = 30


@dataclass(frozen=True)
class _Known:
    token: str
    until: float
    read_at: float
    """Of the monotonic clock, as is `until`."""
    wanted: Mapping[UUID, frozenset[str]]
    """The types of events that each enabled endpoint wants."""


_known: _Known | None = None


def endpoints_changed() -> None:
    """Let each process read the endpoints again, after the commit. Code that writes an endpoint's events or state must call it."""
    on_commit(_renew)


def forget_endpoints() -> None:
    global _known
    _known = None


def queue_deliveries(type: str, subject_id: UUID, seq: int, data: Mapping[str, Any], *, at: datetime) -> None:
    """Write what endpoints are told of this event, and of the payments that an invoice's event moved, in the caller's transaction."""
    wanted = _wanted()
    if not wanted:
        return
    events = [(type, data), *((f"payment.{payment['status']}", payment) for payment in data.get("payments", ()))]
    insert(
        [
            draft_delivery(endpoint_id, name, subject_id, seq, values, at=at)
            for name, values in events
            for endpoint_id, types in wanted.items()
            if name in types
        ]
    )


def is_wanted(type: str) -> bool:
    """Return whether an endpoint wants events of this type."""
    return any(type in types for types in _wanted().values())


def draft_delivery(endpoint_id: UUID, type: str, subject_id: UUID, seq: int, data: Mapping[str, Any], *, at: datetime) -> WebhookDelivery:
    timestamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"type": type, "timestamp": timestamp, "data": {"id": str(subject_id), "seq": seq, **told(type, data)}}
    return WebhookDelivery(
        endpoint_id=endpoint_id, type=type, subject_id=subject_id, seq=seq, body=orjson.dumps(body).decode(), created_at=at, next_try_at=at
    )


def _wanted() -> Mapping[UUID, frozenset[str]]:
    global _known
    known, now = _known, time.monotonic()
    if known is not None and now < known.until:
        return known.wanted
    token = caches["shared"].get(TOKEN) or _renew()  # before the rows: what is kept is at least as new as the token says
    if known is None or known.token != token or now >= known.read_at + KEEP_SECONDS:
        known = _Known(token, now, now, dict(_read()))
    _known = replace(known, until=time.monotonic() + REMEMBER_SECONDS)
    return known.wanted


def _read() -> Iterator[tuple[UUID, frozenset[str]]]:
    for pk, events in WebhookEndpoint.objects.filter(is_enabled=True).values_list("pk", "events"):
        yield pk, frozenset(events)


def _renew() -> str:
    global _known
    _known, token = None, secrets.token_hex(8)
    caches["shared"].set(TOKEN, token, timeout=None)
    return token
