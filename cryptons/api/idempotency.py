"""POSTs that may be sent twice and are done once: the header `Idempotency-Key`, kept for 24 hours, the body compared."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson
from django.db import IntegrityError
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.envelope import json_bytes
from cryptons.api.errors import Conflict, IdempotencyMismatch, Invalid
from cryptons.models import IdempotentRequest

KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=2)
"""A request that was begun so long ago and has no answer died: it may be done again."""

TOKENS = UUID("6f1d7c1e-6a0e-4d5c-9a54-0d0a7f8e3b11")

View = Callable[..., Response]


def idempotent(view: View) -> View:
    """For a POST method of an ApiView whose users are logged in.

    The view gets `token`, a UUID that is the same for the same user and key: kept under a unique index with what the view makes, it lets
    nothing be made twice even when the process died between making it and answering.
    """

    @wraps(view)
    def once(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return view(self, request, *args, token=uuid4(), **kwargs)
        if len(key) > 255 or not key.isprintable():
            raise Invalid(
                "The Idempotency-Key is too long or not printable.",
                details=[{"field": "Idempotency-Key", "message": "At most 255 letters."}],
            )
        user_id = UUID(str(request.user.pk))
        body_hash = hashlib.sha256(orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)).hexdigest()
        kept = _begin(user_id, key, body_hash)
        if kept.status is not None:
            return Response(kept.response, status=kept.status)
        try:
            response = view(self, request, *args, token=uuid5(TOKENS, f"{user_id} {key}"), **kwargs)
        except BaseException:
            kept.delete()  # nothing was made, so nothing is to be repeated
            raise
        body = orjson.loads(json_bytes(response.data))
        IdempotentRequest.objects.filter(pk=kept.pk).update(status=response.status_code, response=body)
        return response

    return once


def _begin(user_id: UUID, key: str, body_hash: str) -> IdempotentRequest:
    """The row of this request: new for the first, with its answer for a repeat.

    Raises IdempotencyMismatch, and Conflict while it is being done.
    """
    now = timezone.now()
    IdempotentRequest.objects.filter(user_id=user_id, key=key, created_at__lt=now - KEPT).delete()
    if not IdempotentRequest.objects.filter(user_id=user_id, key=key).exists():
        try:
            return IdempotentRequest.objects.create(user_id=user_id, key=key, body_hash=body_hash)
        except IntegrityError:
            pass  # its twin was first
    kept = IdempotentRequest.objects.get(user_id=user_id, key=key)
    if kept.body_hash != body_hash:
        raise IdempotencyMismatch("This Idempotency-Key was used for another request.")
    if kept.status is None:
        abandoned = IdempotentRequest.objects.filter(pk=kept.pk, status=None, created_at__lt=now - ABANDONED)
        if not abandoned.update(created_at=now):
            raise Conflict("This request is being worked on. Ask again in a moment.", headers={"Retry-After": "1"})
    return kept


def forget_old_requests() -> None:
    IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
