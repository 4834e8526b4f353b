"""Private links: pages that anyone can open who knows their address (capability URLs)."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def private_link(view: View[P]) -> View[P]:
    """Keep the view's address from search engines, caches and other sites.

    The policy is not `no-referrer`: with that, browsers send the page's own forms with `Origin: null`, which the CSRF check refuses.
    """

    @wraps(view)
    def protected(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        response.headers["Referrer-Policy"] = "same-origin"
        add_never_cache_headers(response)
        return response

    return protected
