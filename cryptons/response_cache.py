"""A cache of whole responses: public pages and public API reads, made once and sent to every visitor without a session.

A cached response belongs to a version (of the catalogue, of the rates …), and a new version makes a new response. A visitor with a
session gets the same page with its holes filled, or a response of their own: both are private, so that no shared cache keeps them.
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
from django.utils import translation
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags

from cryptons.page_holes import COOKIE, NOBODY, Page, Visitor, read_visitor

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

VARIES_BY = ("Cookie", "Authorization", "Accept-Encoding")
PRIVATE = "private, no-cache"
"""The Cache-Control of a page whose holes are filled for one visitor."""

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


@dataclass
class Ready:
    """What one view answers to everybody while its version lasts."""

    version: str
    current_version: Callable[[], str]
    """Reads the version of now, which may wait for the cache."""
    body: bytes
    """As a newcomer sees it."""
    page: Page | None
    """With holes for a visitor with a session; None if the body has none."""
    content_type: str
    cache_control: str
    etag: str
    until: int
    """Monotonic nanoseconds, as the other times here."""
    verified_at: int
    """When the version was last seen to be the current one."""
    sure_at: int = 0
    """When that was known; `verified_at` may be later during an outage."""
    answer: Any = None
    """The whole answer with its headers, kept by the front that sends it without Django."""

    def fill(self, visitor: Visitor) -> bytes:
        return self.page.fill(visitor) if self.page else self.body

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
    *,
    versions: Callable[P, str],
    parameters: Collection[str] = (),
    max_age: int = 10,
    stale: int = 60,
    strict: bool = False,
    holes: bool = False,
) -> Callable[[View[P]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]]:
    """Cache the view's responses to GET that have status 200 and set no cookie.

    `versions` is called with the view's arguments and before it, so that nothing old is cached under a new version. Only `parameters`
    of the query distinguish responses, and the view sees no others; with `strict`, a query with other parameters reaches the view whole
    and is not cached. With `holes` the page extends base.html and shows nothing else of its visitor, so that those with a session get
    it, too.
    """
    cache_control = f"public, max-age={max_age}, stale-while-revalidate={stale}"

    def decorate(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def respond(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.method not in ("GET", "HEAD"):
                return view(request, *args, **kwargs)
            query = urlencode(sorted(request.GET.items()), errors="replace") if strict else _normal_query(request, parameters)
            is_known = set(request.GET) <= set(parameters)
            if not strict:
                request.GET = QueryDict(query)
            is_one_persons = is_personal(request)
            visitor = visitor_of(request) if is_one_persons and holes else NOBODY
            key = f"{request.scheme}://{request.get_host()}{request.path}\n{query}"
            ready = None
            if not (visitor is None or (is_one_persons and not holes) or len(key) > MAX_KEY or (strict and not is_known)):
                asked_at = time.monotonic_ns()
                current_version = partial(versions, *args, **kwargs)
                version = current_version()
                ready = _cache.get(key, version)
                if ready is None:
                    response = _make(request, lambda: view(request, *args, **kwargs), is_shared=holes)
                    ready = _keep(request, response, version, current_version, cache_control)
                    if ready is None and not holes:
                        return response
            if ready is None:
                response = view(request, *args, **kwargs)
                return _mark_private(response) if is_one_persons else response
            _cache.put(key, ready)
            ready.verified_at = ready.sure_at = asked_at
            return _fill(ready, visitor or NOBODY) if is_one_persons else _answer(request, ready)

        return respond

    return decorate


def visitor_of(request: HttpRequest) -> Visitor | None:
    """Return what a ready page shows of its visitor; None if that must be asked for, or is more than fits into the holes."""
    if "Authorization" in request.headers or "messages" in request.COOKIES:
        return None
    visitor = read_visitor(request.COOKIES.get(COOKIE, ""), request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""), at=time.time())
    return None if visitor is None or visitor.has_message else visitor


def is_personal(request: HttpRequest) -> bool:
    """Return whether the response may be for this visitor alone."""
    return settings.SESSION_COOKIE_NAME in request.COOKIES or "messages" in request.COOKIES or "Authorization" in request.headers


def _normal_query(request: HttpRequest, parameters: Collection[str]) -> str:
    """Write the known parameters that have a value in one order; the last value of a repeated parameter counts."""
    return urlencode([(name, value) for name in sorted(parameters) if (value := request.GET.get(name, "").strip())], errors="replace")


def _mark_private(response: HttpResponseBase) -> HttpResponseBase:
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, VARIES_BY)
    return response


def _make(request: HttpRequest, view: Callable[[], HttpResponseBase], *, is_shared: bool) -> HttpResponseBase:
    """Call the view as for GET. With `is_shared`, the template leaves holes for what belongs to one visitor."""
    asked, request.method = request.method, "GET"
    request.is_shared = is_shared  # type: ignore[attr-defined]
    try:
        response = view()
        if callable(render := getattr(response, "render", None)) and not getattr(response, "is_rendered", True):
            response = render()
    finally:
        request.method = asked
        request.is_shared = False  # type: ignore[attr-defined]
    return response


def _keep(
    request: HttpRequest, response: HttpResponseBase, version: str, current_version: Callable[[], str], cache_control: str
) -> Ready | None:
    """Return what everybody may get of the response; None if it is for this visitor alone."""
    body = getattr(response, "content", None)
    is_public = response.status_code == 200 and not response.cookies and not request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
    touched = getattr(getattr(request, "session", None), "modified", False)
    if not isinstance(body, bytes) or not is_public or touched or len(body) > MAX_BODY_BYTES:
        return None
    page = Page(body, translation.get_language() or settings.LANGUAGE_CODE)
    if page.has_holes:
        body = page.fill(NOBODY)
    now = time.monotonic_ns()
    return Ready(
        version=version,
        current_version=current_version,
        body=body,
        page=page if page.has_holes else None,
        content_type=response.headers["Content-Type"],
        cache_control=cache_control,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        until=now + KEEP_SECONDS * 10**9,
        verified_at=now,
    )


def _answer(request: HttpRequest, ready: Ready) -> HttpResponseBase:
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
    response.headers["Cache-Control"] = ready.cache_control
    patch_vary_headers(response, VARIES_BY)
    return response


def _fill(ready: Ready, visitor: Visitor) -> HttpResponseBase:
    """Answer a visitor with a session."""
    response = HttpResponse(ready.fill(visitor), content_type=ready.content_type)
    response.ready = ready  # type: ignore[attr-defined]  # for the front
    return _mark_private(response)


def matches(etags: Collection[str], if_none_match: str) -> bool:
    """Return whether the client has one of these already."""
    if not if_none_match:
        return False
    known = parse_etags(if_none_match)
    return "*" in known or any(etag.removeprefix("W/") in etags for etag in known)
