from collections.abc import Mapping
from functools import cached_property, lru_cache

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.request import HttpHeaders
from django.urls import ResolverMatch, get_resolver, get_urlconf


class Headers(HttpHeaders):
    @classmethod
    @lru_cache(200)
    def parse_header_name(cls, header: str) -> str | None:
        """Return the header of a name in WSGI's environment, None for another name. Nearly all requests have the same ones."""
        return super().parse_header_name(header)


class Request(WSGIRequest):
    @cached_property
    def headers(self) -> Headers:
        return Headers(self.META)


def set_missing(response: HttpResponse, headers: Mapping[str, str]) -> None:
    """Add the headers that the response does not have. Their names and values are ASCII: Django would convert each to find that out."""
    stored: dict[str, tuple[str, str]] = response.headers._store
    for name, value in headers.items():
        stored.setdefault(name.lower(), (name, value))


class Handler(WSGIHandler):
    """Django's handler. It remembers which view answers an address of the API, because the search through all routes takes long."""

    request_class = Request

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        if not request.path_info.startswith("/api/"):  # that of a page depends on the language as well
            return super().resolve_request(request)
        request.resolver_match = match = _find(request.path_info, get_urlconf())
        return match


@lru_cache(1000)
def _find(path: str, urlconf: str | None) -> ResolverMatch:
    return get_resolver(urlconf).resolve(path)
