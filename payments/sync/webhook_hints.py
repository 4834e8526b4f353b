"""Check the hints that come in over HTTP: their signature, their age, and the networks to poll. Nothing else in a hint is trusted.

A hint is signed by the headers of Standard Webhooks, or by a `signature` in its body: the HMAC-SHA256, in hex, of the body without it as
canonical JSON (keys sorted, no spaces, UTF-8, numbers and texts as they were sent).
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError

from cryptons.chunks import delete_in_chunks
from cryptons.standard_webhooks import is_signed, key_of
from payments.errors import HintNotSigned
from payments.models import IncomingWebhook, Option
from payments.networks.registry import offered_networks

TOLERANCE = timedelta(seconds=300)
KEPT = timedelta(days=1)
"""How long an id is remembered; much longer than TOLERANCE."""

_ID = re.compile(r"[!-~]{1,128}")
_SECONDS = re.compile(r"[0-9]{1,11}")


@dataclass(frozen=True)
class Signed:
    """A hint whose signature was made with one of the secrets."""

    webhook_id: str
    sent_at: datetime | None
    """The signed time; None for a signature in the body, which may hold a time of its own."""


def check_signature(headers: Mapping[str, str], body: bytes) -> Signed:
    """Check the signature of a hint. Raises HintNotSigned. If the headers hold a signature, one in the body is ignored."""
    if "webhook-signature" in headers:
        return _check_headers(headers, body)
    return _check_body(body)


def _check_headers(headers: Mapping[str, str], body: bytes) -> Signed:
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    is_whole = _ID.fullmatch(webhook_id) and _SECONDS.fullmatch(timestamp)
    if not is_whole or not is_signed(settings.WEBHOOK_SECRET, webhook_id, timestamp, body, headers["webhook-signature"]):
        raise HintNotSigned
    return Signed(webhook_id, datetime.fromtimestamp(int(timestamp), UTC))


def _check_body(body: bytes) -> Signed:
    """Check the signature in the body. It also serves as the id, so the same body again is a repeat."""
    try:
        content = json.loads(body, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
        given = str(content.pop("signature")).lower().encode()
        signed = canonical(content).encode()
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise HintNotSigned from None
    signatures = [hmac.digest(key_of(secret), signed, hashlib.sha256).hex() for secret in settings.WEBHOOK_SECRET]
    if not any([hmac.compare_digest(signature.encode(), given) for signature in signatures]):  # noqa: C419 (all of them, always)
        raise HintNotSigned
    return Signed(given.decode(), None)


class _Number(str):
    """A JSON number in its original spelling: converted to a float and back, 1e-08 would change."""


def canonical(value: Any) -> str:
    """Write the value as canonical JSON, the form that is signed."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(str(name))}:{canonical(inner)}" for name, inner in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def is_fresh(sent_at: datetime | None, *, at: datetime) -> bool:
    """Return whether the hint was sent recently. One without a time counts as fresh: it can cause one poll a day at most."""
    return sent_at is None or abs(at - sent_at) <= TOLERANCE


def is_first(webhook_id: str, *, at: datetime) -> bool:
    """Record the id of a hint. Returns True for exactly one of several requests with the same id."""
    try:
        IncomingWebhook.objects.create(webhook_id=webhook_id, received_at=at)
    except IntegrityError:
        return False
    return True


def networks_of(invoice_ids: list[UUID]) -> list[str]:
    """Return the networks on which the invoices can be paid and which the shop still takes."""
    asked = set(Option.objects.filter(invoice__in=invoice_ids).values_list("network", flat=True))
    return sorted(asked.intersection(offered_networks()))


def forget_old_webhooks(*, at: datetime) -> None:
    delete_in_chunks(IncomingWebhook.objects.filter(received_at__lt=at - KEPT))
