"""Every answer has one of two shapes: `{"success": true, "data": …}` or `{"success": false, "error": {…}}`."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer


def succeeded(data: Any, meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"success": True, "data": data}
    if meta is not None:
        body["meta"] = meta
    return body


def failed(code: str, message: str, details: Sequence[Mapping[str, str]] = (), **more: Any) -> dict[str, Any]:
    return {"success": False, "error": {"code": code, "message": message, "details": list(details), **more}}


def json_bytes(body: Any) -> bytes:
    return orjson.dumps(body, default=str)


def error_response(status: int, code: str, message: str, headers: Mapping[str, str] | None = None, **more: Any) -> HttpResponse:
    """Answer an error outside of REST framework's views."""
    return HttpResponse(json_bytes(failed(code, message, **more)), status=status, content_type="application/json", headers=headers)


class EnvelopeRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None) -> bytes:
        return b"" if data is None else json_bytes(data)
