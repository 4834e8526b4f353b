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
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec
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

ENCODINGS = ("br", "gzip")
"""In which the front keeps bodies compressed, the better one first."""

OUTAGE = "away-"
"""Begins a version that stands for those that cannot be read while the cache is down."""

_distrusted_at = 0

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


@dataclass
class Ready:
    """What one view answers to everybody while its version lasts."""

    version: str
    current_version: Callable[[], str]
    """Reads the version of now, which may wait for the cache."""
    body: bytes
    content_type: str
    etag: str
    until: int
    """Monotonic nanoseconds, as the other times here."""
    verified_at: int
    """When the version was last seen to be the current one."""
    sure_at: int = 0
    """When that was known; `verified_at` may be later during an outage."""
    answer: Any = None
    """The whole answer with its headers, kept by the front that sends it without Django."""

    def etags(self) -> tuple[str, ...]:
        """Return the ETags of the body as it is, and compressed."""
        return self.etag, *(encoded_etag(self.etag, encoding) for encoding in ENCODINGS)


def encoded_etag(etag: str, encoding: str) -> str:
    return f'{etag[:-1]}-{encoding}"'


class _LruBytes:
    """Responses by key, bounded by their bytes: the least recently used one is dropped first. Safe between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Ready] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: str, version: str) -> Ready | None:
        with self._lock:
            ready = self._kept.get(key)
            if ready is None or ready.version != version or ready.until < time.monotonic_ns():
                return None
            self._kept.move_to_end(key)
            return ready

    def put(self, key: str, ready: Ready) -> None:
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


def forget_all() -> None:
    _cache.clear()
    distrust()


def distrust() -> None:
    """Verify every version again before it is used: this process has renewed some."""
    global _distrusted_at
    _distrusted_at = time.monotonic_ns()


def distrusted_at() -> int:
    """Return when `distrust` was called last. What was verified before that may be old."""
    return _distrusted_at


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
            asked_at = time.monotonic_ns()
            current_version = partial(versions, *args, **kwargs)
            version = current_version()
            ready = _cache.get(key, version)
            if ready is None:
                response = _make(request, lambda: view(request, *args, **kwargs))
                ready = _keep(request, response, version, current_version)
                if ready is None:
                    return response
                _cache.put(key, ready)
            ready.verified_at = ready.sure_at = asked_at
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


def _make(request: HttpRequest, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    asked, request.method = request.method, "GET"
    try:
        response = view()
        if callable(render := getattr(response, "render", None)) and not getattr(response, "is_rendered", True):
            response = render()
    finally:
        request.method = asked
    return response


def _keep(request: HttpRequest, response: HttpResponseBase, version: str, current_version: Callable[[], str]) -> Ready | None:
    """Return what everybody may get of the response; None if it is for this visitor alone."""
    body = getattr(response, "content", None)
    is_public = response.status_code == 200 and not response.cookies and not request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
    touched = getattr(getattr(request, "session", None), "modified", False)
    if not isinstance(body, bytes) or not is_public or touched or len(body) > MAX_BODY_BYTES:
        return None
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    now = time.monotonic_ns()
    return Ready(version, current_version, body, response.headers["Content-Type"], etag, now + KEEP_SECONDS * 10**9, now)


def _answer(request: HttpRequest, ready: Ready, max_age: int, stale: int) -> HttpResponseBase:
    response: HttpResponse
    if matches(ready.etags(), request.headers.get("If-None-Match", "")):
        response = HttpResponseNotModified()
    elif request.method == "HEAD":
        response = HttpResponse(content_type=ready.content_type)
        response.headers["Content-Length"] = str(len(ready.body))
    else:
        response = HttpResponse(ready.body, content_type=ready.content_type)
        response.ready = ready  # type: ignore[attr-defined]  # for the front
    response.headers["ETag"] = ready.etag
    response.headers["Cache-Control"] = f"public, max-age={max_age}, stale-while-revalidate={stale}"
    patch_vary_headers(response, ["Cookie", "Authorization", "Accept-Encoding"])
    return response


def matches(etags: Collection[str], if_none_match: str) -> bool:
    """Return whether the client has one of these already."""
    if not if_none_match:
        return False
    known = parse_etags(if_none_match)
    return "*" in known or any(etag.removeprefix("W/") in etags for etag in known)
