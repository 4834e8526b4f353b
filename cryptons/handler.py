from functools import lru_cache

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.urls import ResolverMatch, get_resolver, get_urlconf


class Handler(WSGIHandler):
    """Django's, which looks for the view of an address of the API only once: the list of all addresses is long."""

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        if not request.path_info.startswith("/api/"):  # that of a page depends on the language as well
            return super().resolve_request(request)
        request.resolver_match = match = _find(request.path_info, get_urlconf())
        return match


@lru_cache(1000)
def _find(path: str, urlconf: str | None) -> ResolverMatch:
    return get_resolver(urlconf).resolve(path)
