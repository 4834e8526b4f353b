from functools import lru_cache

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.urls import ResolverMatch, get_resolver, get_urlconf


class Handler(WSGIHandler):
    """Django's handler. It remembers which view answers an address of the API, because the search through all routes takes long."""

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        if not request.path_info.startswith("/api/"):  # that of a page depends on the language as well
            return super().resolve_request(request)
        request.resolver_match = match = _find(request.path_info, get_urlconf())
        return match


@lru_cache(1000)
def _find(path: str, urlconf: str | None) -> ResolverMatch:
    return get_resolver(urlconf).resolve(path)
