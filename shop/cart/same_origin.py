"""Accept a form without a token, but only from our own pages: for the one form on pages that are the same for everybody."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def same_origin_only(view: View[P]) -> View[P]:
    """Check the request's origin as browsers send it, instead of Django's token. Answers 403 to any other origin."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not comes_from_us(request):
            raise PermissionDenied(_("This form can only be sent from the shop's own pages."))
        return view(request, *args, **kwargs)

    return guarded


def comes_from_us(request: HttpRequest) -> bool:
    """Tell by Sec-Fetch-Site; if it is missing (or over plain http) by Origin; in old browsers by Referer. Without any of them: no."""
    site = request.headers.get("Sec-Fetch-Site")
    if site:
        return site == "same-origin"
    origin = request.headers.get("Origin") or request.headers.get("Referer", "")
    return _origin(origin) in (_origin(f"{request.scheme}://{request.get_host()}"), _origin(settings.PUBLIC_URL))


def _origin(address: str) -> tuple[str, str] | None:
    """Return scheme and host with port; None if the address has neither (`null`, empty)."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return (parts.scheme, parts.netloc.lower()) if parts.scheme and parts.netloc else None
