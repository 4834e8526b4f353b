"""Idempotency: a POST with the header `Idempotency-Key` is done once, and a repeat gets the stored answer for 24 hours.

Requests and their answers are stored in `cryptons.models.IdempotentRequest`, by sender and key, with a hash of address and body.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import wraps
from inspect import signature
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson
from django.core.files.uploadedfile import UploadedFile
from django.db import Error, IntegrityError
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.envelope import json_bytes
from cryptons.api.errors import Conflict, IdempotencyMismatch, Invalid
from cryptons.api.permissions import ORDER_KEY
from cryptons.chunks import delete_in_chunks
from cryptons.db import now_as_stored
from cryptons.models import IdempotentRequest

KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=2)
"""A request without an answer after this time has died with its process and may be done again."""

WAIT_SECONDS = 10
"""How long a request waits for the answer to the first one with its key."""
POLL_SECONDS = 0.1

MOST_OVER = 10_000
over: dict[UUID, datetime] = {}
"""The requests that this process could not mark as over, because the database was away: they need not be waited for until ABANDONED.

With the `created_at` of their row, which is another one as soon as another process has begun the request again.
"""

TOKENS = UUID("6f1d7c1e-6a0e-4d5c-9a54-0d0a7f8e3b11")

View = Callable[..., Response]


def idempotent(view: View) -> View:
    """Wrap a POST or PATCH method of an ApiView. A request that comes while the first one with its key runs waits for the answer.

    A view with a parameter `token` gets a UUID that is the same for the same sender and key. Stored under a unique index with the object
    that the view makes, it prevents a second one even when the process dies between making the object and answering.
    """

    takes_token = "token" in signature(view).parameters

    def call(self: Any, request: Request, *args: Any, token: UUID, **kwargs: Any) -> Response:
        return view(self, request, *args, **({"token": token} if takes_token else {}), **kwargs)

    @wraps(view)
    def once(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return call(self, request, *args, token=uuid4(), **kwargs)
        if len(key) > 255 or not key.isprintable():
            raise Invalid.fields({"Idempotency-Key": _("Must be at most 255 printable characters.")})
        sender = _sender(request)
        route = request.path.replace("/api/v1/", "/api/", 1)
        asked = [route if request.method == "POST" else f"{request.method} {route}", _plain(request.data)]
        body_hash = hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
        kept = _begin(sender, key, body_hash)
        if kept.status is not None:
            return Response(kept.response, status=kept.status)
        row = IdempotentRequest.objects.filter(pk=kept.pk, created_at=kept.created_at)  # unless another process has begun it again
        try:
            response = call(self, request, *args, token=uuid5(TOKENS, f"{sender} {key}"), **kwargs)
        except BaseException:
            _end(kept, row.delete)  # nothing was made, so nothing is to be repeated
            raise
        body = orjson.loads(json_bytes(response.data))
        _end(kept, lambda: row.update(status=response.status_code, response=body))
        return response

    return once


def _end(kept: IdempotentRequest, write: Callable[[], object]) -> None:
    """Write that the request is over, or remember it while the database is away."""
    try:
        write()
    except Error:
        if len(over) >= MOST_OVER:
            over.clear()  # most of them nobody has sent again
        over[kept.pk] = kept.created_at
        raise


def _plain(data: Any) -> Any:
    """Return the body as JSON would write it, with the hash of a file instead of the file."""
    if not isinstance(data, MultiValueDict):
        return data
    return {name: [_hash(value) if isinstance(value, UploadedFile) else value for value in values] for name, values in data.lists()}


def _hash(upload: "UploadedFile[Any]") -> str:
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    upload.seek(0)
    return digest.hexdigest()


def _sender(request: Request) -> UUID:
    """Return the user's id; for a guest, an id of the mail address or the order's key that came along. Two guests may choose one key."""
    if request.user.pk:
        return UUID(str(request.user.pk))
    email = request.data.get("email", "") if isinstance(request.data, Mapping) else ""
    return uuid5(TOKENS, f"guest {request.headers.get(ORDER_KEY, '')} {str(email).lower()}")


def _begin(user_id: UUID, key: str, body_hash: str) -> IdempotentRequest:
    """Return the row of this request: a new one for the first request, one with an answer for a repeat.

    Waits while another one runs. Raises IdempotencyMismatch for another body, and Conflict when the first has no answer in time.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while (row := _find_or_create(user_id, key, body_hash)) is None:
        if time.monotonic() > deadline:
            raise Conflict(_("This request is being processed. Try again in a moment."), headers={"Retry-After": "1"})
        time.sleep(POLL_SECONDS)
    return row


def _find_or_create(user_id: UUID, key: str, body_hash: str) -> IdempotentRequest | None:
    """Return None while the first request has no answer yet."""
    now = now_as_stored()
    rows = IdempotentRequest.objects.filter(user_id=user_id, key=key)
    kept = rows.first()
    if kept is None:
        try:
            return IdempotentRequest.objects.create(user_id=user_id, key=key, body_hash=body_hash, created_at=now)
        except IntegrityError:  # a request with the same key was first
            return _find_or_create(user_id, key, body_hash)
    if kept.created_at < now - KEPT:
        rows.filter(created_at__lt=now - KEPT).delete()
        return _find_or_create(user_id, key, body_hash)
    if kept.body_hash != body_hash:
        raise IdempotencyMismatch(_("This Idempotency-Key was used for another request."))
    return kept if kept.status is not None or _take_over(kept, at=now) else None


def _take_over(kept: IdempotentRequest, *, at: datetime) -> bool:
    """Begin a request again that is over without an answer, or was abandoned. Of several that ask, one gets a yes."""
    is_over = over.pop(kept.pk, None) == kept.created_at
    if not is_over and kept.created_at >= at - ABANDONED:
        return False
    unchanged = IdempotentRequest.objects.filter(pk=kept.pk, status=None, created_at=kept.created_at)
    kept.created_at = at
    return bool(unchanged.update(created_at=at))


def forget_old_requests() -> None:
    """Delete the requests that are older than KEPT."""
    delete_in_chunks(IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT))
