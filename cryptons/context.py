"""What every page knows without asking anybody."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.text import get_text_list

from cryptons.money import UNITS


def site(request: HttpRequest) -> dict[str, Any]:
    """`has_session` is false for a newcomer, whose pages must touch neither session, user, messages nor CSRF token."""
    networks: tuple[str, ...] = import_string("payments.networks.offered_networks")()
    return {
        "shop_name": settings.SHOP_NAME,
        "currency": settings.CURRENCY,
        "is_sandbox": import_string("payments.networks.is_sandbox")(),
        "coin_names": get_text_list([UNITS[network].name for network in networks], "and"),
        "has_session": settings.SESSION_COOKIE_NAME in request.COOKIES,
    }
