"""Hints that come in over HTTP: who may give one, which are news, whom they wake. Nothing else that a hint says is believed.

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

from cryptons.standard_webhooks import is_signed, key_of
from payments.errors import HintNotSigned
from payments.models import IncomingWebhook, Option
from payments.networks.registry import offered_networks

TOLERANCE = timedelta(seconds=300)
KEPT = timedelta(days=1)
"""How long an id is remembered: much longer than a hint with a time is taken for fresh."""

_ID = re.compile(r"[!-~]{1,128}")
_SECONDS = re.compile(r"[0-9]{1,11}")


@dataclass(frozen=True)
class Signed:
    """By whom is not asked: whoever knows a secret."""

    webhook_id: str
    sent_at: datetime | None
    """Part of what was signed; None where only the body can tell."""


def check_signature(headers: Mapping[str, str], body: bytes) -> Signed:
    """Raises HintNotSigned. Where the headers of a signature are, the body's own no longer counts."""
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
    """Its id is its signature, so the same body again is a repeat."""
    try:
        content = json.loads(body, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
        given = str(content.pop("signature")).lower().encode()
        signed = canonical(content).encode()
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise HintNotSigned from None
    wanted = [hmac.digest(key_of(secret), signed, hashlib.sha256).hex() for secret in settings.WEBHOOK_SECRET]
    if not any([hmac.compare_digest(each.encode(), given) for each in wanted]):  # noqa: C419 (all of them, always)
        raise HintNotSigned
    return Signed(given.decode(), None)


class _Number(str):
    """As it was written: read and written again by another program, 1e-08 would become 1e-8."""


def canonical(value: Any) -> str:
    """JSON in the one form that is signed."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(str(name))}:{canonical(inner)}" for name, inner in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def is_fresh(sent_at: datetime | None, *, at: datetime) -> bool:
    """A hint that does not say when it was sent counts as fresh: it wakes somebody who looks for himself, once a day at most."""
    return sent_at is None or abs(at - sent_at) <= TOLERANCE


def is_first(webhook_id: str, *, at: datetime) -> bool:
    """Of several who bring the same hint at once, one is."""
    try:
        IncomingWebhook.objects.create(webhook_id=webhook_id, received_at=at)
    except IntegrityError:
        return False
    return True


def networks_of(invoice_ids: list[UUID]) -> list[str]:
    """Those on which the invoices can be paid, as far as the shop still takes them."""
    asked = set(Option.objects.filter(invoice__in=invoice_ids).values_list("network", flat=True))
    return sorted(asked.intersection(offered_networks()))


def forget_old_webhooks(*, at: datetime) -> None:
    IncomingWebhook.objects.filter(received_at__lt=at - KEPT).delete()
