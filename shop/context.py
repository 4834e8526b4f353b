from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from shop.carts import count_items


def cart_count(request: HttpRequest) -> dict[str, object]:
    """`cart_count`: asked for only where a template shows it, and never of somebody without a session."""
    return {"cart_count": SimpleLazyObject(lambda: count_items(request)) if settings.SESSION_COOKIE_NAME in request.COOKIES else 0}
