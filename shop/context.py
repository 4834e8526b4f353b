from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from shop.cart.contents import count_items
from shop.catalogue.reads import read_categories
from shop.catalogue.version import category_version
from shop.orders.access import open_order_number


def cart_count(request: HttpRequest) -> dict[str, object]:
    """Add `cart_count`, read only when a template shows it, and never for a visitor without a session."""
    return {"cart_count": SimpleLazyObject(lambda: count_items(request)) if settings.SESSION_COOKIE_NAME in request.COOKIES else 0}


def open_order(request: HttpRequest) -> dict[str, object]:
    """Add `open_order`, the number of the visitor's order that waits for its payment, read only when a template shows it."""
    return {"open_order": SimpleLazyObject(lambda: open_order_number(request)) if settings.SESSION_COOKIE_NAME in request.COOKIES else ""}


def navigation(request: HttpRequest) -> dict[str, object]:
    """Add `navigation`, the root categories as `{"name", "slug"}`, read once for each version of the tree."""
    return {"navigation": SimpleLazyObject(_roots)}


def _roots() -> list[dict[str, str]]:
    key = f"navigation:{category_version()}"
    roots: list[dict[str, str]] | None = cache.get(key)
    if roots is None:
        roots = [{"name": category.name, "slug": category.slug} for category in read_categories().roots]
        cache.set(key, roots, 300)
    return roots
