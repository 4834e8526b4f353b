"""End sessions that are too old, count API keys, and keep staff without a second factor out of the staff's pages where it is required."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject

from accounts.api_keys import holder_of, is_known, sent_key
from accounts.models import User
from cryptons.api.envelope import error_response
from cryptons.api.errors import is_api
from cryptons.api.limits import count, take_back, too_many_requests
from cryptons.client_address import client_ip
from cryptons.db import is_outage

LOGOUTS = {"accounts:logout", "admin:logout"}
STAFF_PAGES = {"admin", "exceptions", "opening"}
"""Namespaces of addresses. What staff may do elsewhere depends on permissions, which `User.has_perm` refuses."""


DAY = 86_400
STAFF_IDLE_SECONDS = DAY // 2
STAFF_SECONDS, BUYER_SECONDS = 7 * DAY, 30 * DAY
"""After this, everybody logs in again. A buyer's session also ends when it was not changed for SESSION_COOKIE_AGE, two weeks."""
NOTE_SECONDS = 300
"""How often it is written down that a member of staff is there."""
STARTED, SEEN = "login_started_at", "login_seen_at"


@receiver(user_logged_in)
def start(request: HttpRequest | None, **_: Any) -> None:
    session = getattr(request, "session", None)
    if session is not None:
        session[STARTED] = session[SEEN] = int(time.time())


class LoginAgeMiddleware(AuthenticationMiddleware):
    """Django's, for sessions that end. The user is still read only when a page asks for it."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _user_of(request))  # type: ignore[assignment]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Empty the browser at a logout. Cookies stay: the language and the known browser are no login."""
        match = request.resolver_match
        if match is not None and match.view_name in LOGOUTS and request.method == "POST":
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response


def _user_of(request: HttpRequest) -> User | AnonymousUser:
    user = get_user(request)
    if not isinstance(user, User):
        return AnonymousUser()
    now, session = int(time.time()), request.session
    started, seen = session.setdefault(STARTED, 0 if user.is_staff else now), session.get(SEEN, 0)
    if now - started > (STAFF_SECONDS if user.is_staff else BUYER_SECONDS) or (user.is_staff and now - seen > STAFF_IDLE_SECONDS):
        request.user = user  # for who listens to the logout
        auth.logout(request)
        return AnonymousUser()
    if user.is_staff and now - seen > NOTE_SECONDS:
        session[SEEN] = now
    return user


class ApiKeyMiddleware:
    """Count a request with a good API key by the limit of that key, and not by that of its address.

    An address that has sent too many unknown keys is refused before the database is asked for another one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        text = sent_key(request) if is_api(request) else ""
        if not text:
            return self.get_response(request)
        unknown = (settings.RATE_LIMIT_API, "unknown-key", client_ip(request))
        if is_new := not is_known(text):
            allowed, headers = count(*unknown)
            if not allowed:
                return error_response(429, "RATE_LIMITED", too_many_requests(headers), headers)
        key_id = self._key_id(request)
        if key_id:
            request.rate_limit = (settings.RATE_LIMIT_KEY, "key", key_id)  # type: ignore[attr-defined]
        if is_new and key_id != "":
            take_back(*unknown)
        return self.get_response(request)

    def _key_id(self, request: HttpRequest) -> str | None:
        """Return the key's id; empty for a key that is no good, None while the database cannot say so."""
        try:
            holder = holder_of(request)
        except Exception as error:  # an outage, in each driver's own words: the view asks again, and answers 503
            if not is_outage(error):
                raise
            return None
        return str(holder.pk) if holder else ""


class SecondFactorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or not STAFF_PAGES.intersection(match.namespaces) or match.view_name == "admin:logout":
            return None
        return redirect("accounts:second_factor") if isinstance(request.user, User) and request.user.lacks_second_factor else None
