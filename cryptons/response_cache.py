"""A cache of whole responses: public pages and public API reads, made once and sent to every visitor without a session.

A cached response belongs to a version (of the catalogue, of the rates …), and a new version makes a new response. A visitor with a
session cookie, a waiting message or an Authorization header always gets a response of their own, which no shared cache may keep.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, QueryDict
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags

MAX_BYTES = 32 * 1024 * 1024
"""Of all cached responses of one process; the least recently used one is dropped first."""

MAX_BODY_BYTES = 1024 * 1024
MAX_KEY = 600
KEEP_SECONDS = 300
"""A limit for changes that no version tells of."""

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


@dataclass(frozen=True)
class _Ready:
    version: str
    body: bytes
    content_type: str
    etag: str
    until: int
    """Monotonic nanoseconds."""


class _LruBytes:
    """Responses by key, bounded by their bytes: the least recently used one is dropped first. Safe between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Ready] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: str, version: str) -> _Ready | None:
        with self._lock:
            ready = self._kept.get(key)
            if ready is None or ready.version != version or ready.until < time.monotonic_ns():
                return None
            self._kept.move_to_end(key)
            return ready

    def put(self, key: str, ready: _Ready) -> None:
        with self._lock:
            self._drop(key)
            self._kept[key] = ready
            self._bytes += len(ready.body) + len(key)
            while self._bytes > MAX_BYTES:
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _drop(self, key: str) -> None:
        if old := self._kept.pop(key, None):
            self._bytes -= len(old.body) + len(key)


_cache = _LruBytes()
forget_all = _cache.clear


def ready_bytes(
    *, versions: Callable[P, str], parameters: Collection[str] = (), max_age: int = 10, stale: int = 60, strict: bool = False
) -> Callable[[View[P]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]]:
    """Cache the view's responses to GET that have status 200 and set no cookie.

    `versions` is called with the view's arguments and before it, so that nothing old is cached under a new version. Only `parameters`
    of the query distinguish responses, and the view sees no others; with `strict`, a query with other parameters reaches the view whole
    and is not cached.
    """

    def decorate(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def respond(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.method not in ("GET", "HEAD"):
                return view(request, *args, **kwargs)
            query = urlencode(sorted(request.GET.items()), errors="replace") if strict else _normal_query(request, parameters)
            is_known = set(request.GET) <= set(parameters)
            if not strict:
                request.GET = QueryDict(query)
            if is_personal(request):
                return _mark_private(view(request, *args, **kwargs))
            key = f"{request.scheme}://{request.get_host()}{request.path}\n{query}"
            if len(key) > MAX_KEY or (strict and not is_known):
                return view(request, *args, **kwargs)
            version = versions(*args, **kwargs)
            ready = _cache.get(key, version)
            if ready is None:
                response, ready = _make(request, lambda: view(request, *args, **kwargs), version)
                if ready is None:
                    return response
                _cache.put(key, ready)
            return _answer(request, ready, max_age, stale)

        return respond

    return decorate


def is_personal(request: HttpRequest) -> bool:
    """Return whether the response may be for this visitor alone."""
    return settings.SESSION_COOKIE_NAME in request.COOKIES or "messages" in request.COOKIES or "Authorization" in request.headers


def _normal_query(request: HttpRequest, parameters: Collection[str]) -> str:
    """Write the known parameters that have a value in one order; the last value of a repeated parameter counts."""
    return urlencode([(name, value) for name in sorted(parameters) if (value := request.GET.get(name, "").strip())], errors="replace")


def _mark_private(response: HttpResponseBase) -> HttpResponseBase:
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response


def _make(request: HttpRequest, view: Callable[[], HttpResponseBase], version: str) -> tuple[HttpResponseBase, _Ready | None]:
    asked, request.method = request.method, "GET"
    try:
        response = view()
        if callable(render := getattr(response, "render", None)) and not getattr(response, "is_rendered", True):
            response = render()
    finally:
        request.method = asked
    body = getattr(response, "content", None)
    is_public = response.status_code == 200 and not response.cookies and not request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
    touched = getattr(getattr(request, "session", None), "modified", False)
    if not isinstance(body, bytes) or not is_public or touched or len(body) > MAX_BODY_BYTES:
        return response, None
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    content_type = response.headers["Content-Type"]
    return response, _Ready(version, body, content_type, etag, time.monotonic_ns() + KEEP_SECONDS * 10**9)


def _answer(request: HttpRequest, ready: _Ready, max_age: int, stale: int) -> HttpResponseBase:
    etags = parse_etags(request.headers.get("If-None-Match", ""))
    response: HttpResponse
    if "*" in etags or any(etag.removeprefix("W/") == ready.etag for etag in etags):
        response = HttpResponseNotModified()
    elif request.method == "HEAD":
        response = HttpResponse(content_type=ready.content_type)
        response.headers["Content-Length"] = str(len(ready.body))
    else:
        response = HttpResponse(ready.body, content_type=ready.content_type)
    response.headers["ETag"] = ready.etag
    response.headers["Cache-Control"] = f"public, max-age={max_age}, stale-while-revalidate={stale}"
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response
