"""What every page knows without asking anybody."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """`has_session` is false for a newcomer, whose pages must touch neither session, user, messages nor CSRF token."""
    return {
        "shop_name": settings.SHOP_NAME,
        "currency": settings.CURRENCY,
        "has_session": settings.SESSION_COOKIE_NAME in request.COOKIES,
    }
