"""Idempotency: a POST with the header `Idempotency-Key` is done once, and a repeat gets the stored answer for 24 hours.

Requests and their answers are stored in `cryptons.models.IdempotentRequest`, by user and key, with a hash of the body.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.envelope import json_bytes
from cryptons.api.errors import Conflict, IdempotencyMismatch, Invalid
from cryptons.chunks import delete_in_chunks
from cryptons.models import IdempotentRequest

KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=2)
"""A request without an answer after this time has died with its process and may be done again."""

TOKENS = UUID("6f1d7c1e-6a0e-4d5c-9a54-0d0a7f8e3b11")

View = Callable[..., Response]


def idempotent(view: View) -> View:
    """Wrap a POST method of an ApiView whose users are logged in.

    The view gets `token`, a UUID that is the same for the same user and key. Stored under a unique index with the object that the view
    makes, it prevents a second one even when the process dies between making the object and answering.
    """

    @wraps(view)
    def once(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return view(self, request, *args, token=uuid4(), **kwargs)
        if len(key) > 255 or not key.isprintable():
            raise Invalid.fields({"Idempotency-Key": _("Must be at most 255 printable characters.")})
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
    """Return the row of this request: a new one for the first request, one with an answer for a repeat.

    Raises IdempotencyMismatch for another body, and Conflict while the first request has no answer yet.
    """
    now = timezone.now()
    rows = IdempotentRequest.objects.filter(user_id=user_id, key=key)
    kept = rows.first()
    if kept is None:
        try:
            return IdempotentRequest.objects.create(user_id=user_id, key=key, body_hash=body_hash)
        except IntegrityError:  # a request with the same key was first
            return _begin(user_id, key, body_hash)
    if kept.created_at < now - KEPT:
        rows.filter(created_at__lt=now - KEPT).delete()
        return _begin(user_id, key, body_hash)
    if kept.body_hash != body_hash:
        raise IdempotencyMismatch(_("This Idempotency-Key was used for another request."))
    if kept.status is None:
        abandoned = IdempotentRequest.objects.filter(pk=kept.pk, status=None, created_at__lt=now - ABANDONED)
        if not abandoned.update(created_at=now):
            raise Conflict(_("This request is being processed. Try again in a moment."), headers={"Retry-After": "1"})
    return kept


def forget_old_requests() -> None:
    """Delete the requests that are older than KEPT."""
    delete_in_chunks(IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT))
