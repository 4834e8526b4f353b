"""The template context of the shop's pages. Nothing is read before a template shows it."""

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from shop.cart.contents import count_items
from shop.catalogue.reads import read_categories
from shop.catalogue.version import category_version
from shop.orders.access import open_order_number
from shop.settings.contact import contact_address
from shop.settings.current import PublishedPage, current_pages, current_settings


def shop(request: HttpRequest) -> dict[str, object]:
    """Add what each page of the shop may show.

    - `cart_count`, and `open_order`, the number of the visitor's order that waits for its payment: nothing without a session.
    - `navigation`: the root categories as `{"name", "slug"}`, read once for each version of the tree.
    - `shop`: the merchant's own settings.
    - `pages`: links to the merchant's own pages, those of the footer.
    - `takes_messages`: whether there is a contact form, and `links_contact`: whether it is not among the pages of the footer.
    """
    has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
    return {
        "cart_count": SimpleLazyObject(lambda: count_items(request)) if has_session else 0,
        "open_order": SimpleLazyObject(lambda: open_order_number(request)) if has_session else "",
        "navigation": SimpleLazyObject(_roots),
        "shop": SimpleLazyObject(current_settings),
        "pages": SimpleLazyObject(_footer),
        "takes_messages": SimpleLazyObject(_takes_messages),
        "links_contact": SimpleLazyObject(lambda: _takes_messages() and not any(page.slug == "contact" for page in _footer())),
    }


def _takes_messages() -> bool:
    return bool(contact_address())


def _footer() -> list[PublishedPage]:
    return [page for page in current_pages() if page.in_footer]


def _roots() -> list[dict[str, str]]:
    key = f"navigation:{category_version()}"
    roots: list[dict[str, str]] | None = cache.get(key)
    if roots is None:
        roots = [{"name": category.name, "slug": category.slug} for category in read_categories().roots]
        cache.set(key, roots, 300)
    return roots
