"""The steps of a login in the browser: the password, then a code for who has a second factor; and a code again where it weighs much."""

import time
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.devices import notice_login
from accounts.models import User
from accounts.second_factor import is_fresh, mark_fresh

BACKEND = "django.contrib.auth.backends.ModelBackend"
PENDING = "login_pending"
PENDING_SECONDS = 10 * 60


@dataclass(frozen=True)
class PendingLogin:
    user: User
    url: str
    """Where to go after it."""
    is_expected: bool
    """Whether no mail is needed because of a new device."""


def page_user(request: HttpRequest) -> User:
    """Return the user of a page that asks for a login."""
    assert isinstance(request.user, User)
    return request.user


def next_url(request: HttpRequest) -> str:
    """Return the page that the visitor requested before the login if it is one of ours, or else the profile."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure()):
        return url
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def proceed(request: HttpRequest, user: User, url: str, *, is_expected: bool = False) -> HttpResponse:
    """Log in a user whose password was right, or ask for the code first. One who has just set it by a link is expected."""
    login = PendingLogin(user, url, is_expected)
    if not user.has_second_factor:
        return finish(request, login)
    kept = {"user": str(user.pk), "hash": user.get_session_auth_hash(), "at": int(time.time()), "next": url, "expected": is_expected}
    request.session[PENDING] = kept
    return redirect("accounts:login_code")


def pending_login(request: HttpRequest) -> PendingLogin | None:
    """Return the login whose password was right a short time ago. None if it must be typed again."""
    kept = request.session.get(PENDING)
    if not kept or time.time() - kept["at"] > PENDING_SECONDS:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), kept["hash"]):
        return None
    return PendingLogin(user, kept["next"], kept.get("expected", False))


def finish(request: HttpRequest, login: PendingLogin) -> HttpResponse:
    """Log in and go to the page; staff who need a second factor go to where it is set up."""
    user = login.user
    request.session.pop(PENDING, None)
    auth.login(request, user, backend=BACKEND)
    if user.has_second_factor:
        mark_fresh(request)
    response = redirect("accounts:second_factor" if user.lacks_second_factor else login.url)
    notice_login(request, user, response, is_expected=login.is_expected)
    return response


def ask_again(request: HttpRequest) -> HttpResponse | None:
    """Return the way to a new code before an action that weighs much, if the last one of this session is too old."""
    if is_fresh(request):
        return None
    return redirect(f"{reverse('accounts:ask_again')}?next={quote(request.get_full_path())}")
