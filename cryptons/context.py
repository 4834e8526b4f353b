"""The template context of every page, made without a query."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from cryptons.languages import twins
from cryptons.shop_identity import shop_name


def site(request: HttpRequest) -> dict[str, Any]:
    """`has_session` is false for a newcomer, whose pages must touch neither session, user, messages nor CSRF token.

    `is_shared` is true for a page that is kept for everybody: base.html leaves holes in it (see cryptons.page_holes).
    """
    is_shared = getattr(request, "is_shared", False)
    return {
        "shop_name": shop_name(),
        "currency": settings.CURRENCY,
        "public_url": settings.PUBLIC_URL,
        "default_language": settings.LANGUAGE_CODE,
        "twins": SimpleLazyObject(lambda: twins(request)),
        "has_session": settings.SESSION_COOKIE_NAME in request.COOKIES and not is_shared,
        "is_shared": is_shared,
    }
