"""What every page knows without asking anybody."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string


def site(request: HttpRequest) -> dict[str, Any]:
    """`has_session` is false for a newcomer, whose pages must touch neither session, user, messages nor CSRF token."""
    return {
        "shop_name": settings.SHOP_NAME,
        "currency": settings.CURRENCY,
        "is_sandbox": import_string("payments.networks.is_sandbox")(),
        "has_session": settings.SESSION_COOKIE_NAME in request.COOKIES,
    }
