"""Write the cookie from which ready pages are filled, whenever what it says has changed."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from cryptons.api.errors import is_api
from cryptons.page_holes import COOKIE, COOKIE_SECONDS, Visitor, read_visitor, write_visitor
from shop.cart.contents import count_items
from shop.orders.access import open_order_number

MESSAGES = "_messages"
"""The key of django.contrib.messages in the session."""


class VisitorMiddleware:
    """Stands outside of the session's middleware: a new session has its key when the response comes by here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 500 and hasattr(request, "session") and not is_api(request):
            self._update(request, response)
        return response

    def _update(self, request: HttpRequest, response: HttpResponse) -> None:
        key = request.session.session_key
        given = request.COOKIES.get(COOKIE, "")
        if not key:
            if given:
                response.delete_cookie(COOKIE)
            return
        if not _is_due(request, response, read_visitor(given, key, at=time.time())):
            return
        value = write_visitor(_visitor(request), key, until=int(time.time()) + COOKIE_SECONDS)
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(COOKIE, value, max_age=COOKIE_SECONDS, secure=secure, httponly=True, samesite="Lax")


def _is_due(request: HttpRequest, response: HttpResponse, visitor: Visitor | None) -> bool:
    """Return whether the cookie may be wrong: after each form, and on pages that read the session if it is not good or a message went."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        return True
    if not request.session.accessed or not response.headers.get("Content-Type", "").startswith("text/html"):
        return False
    return visitor is None or visitor.has_message != (MESSAGES in request.session)


def _visitor(request: HttpRequest) -> Visitor:
    user = request.user
    name = user.get_username() if user.is_authenticated else ""
    return Visitor(name, count_items(request), MESSAGES in request.session, open_order_number(request))
