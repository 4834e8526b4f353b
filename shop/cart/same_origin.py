"""Accept a form only from our own pages without a token: for the one form that stands on pages that everybody gets alike."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def same_origin_only(view: View[P]) -> View[P]:
    """Guards the view by what browsers say of a request's origin, in place of Django's token. Else 403."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not comes_from_us(request):
            raise PermissionDenied("This form can only be sent from the shop's own pages.")
        return view(request, *args, **kwargs)

    return guarded


def comes_from_us(request: HttpRequest) -> bool:
    """By Sec-Fetch-Site; from browsers that do not send it (or over plain http) by Origin; from old ones by Referer. Silence is a no."""
    site = request.headers.get("Sec-Fetch-Site")
    if site:
        return site == "same-origin"
    origin = request.headers.get("Origin") or request.headers.get("Referer", "")
    return _origin(origin) in (_origin(f"{request.scheme}://{request.get_host()}"), _origin(settings.PUBLIC_URL))


def _origin(address: str) -> tuple[str, str] | None:
    """Scheme and host with port; None of what has neither (`null`, nothing)."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return (parts.scheme, parts.netloc.lower()) if parts.scheme and parts.netloc else None
