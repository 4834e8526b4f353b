from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib import auth, messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.devices import notice_login
from accounts.email_address import send_verification
from accounts.forms import AddressForm, LoginForm, PasswordForm, ProfileForm, RegisterForm
from accounts.login_limits import TooManyTries
from accounts.login_steps import BACKEND, next_url, page_user, proceed
from accounts.mail_limits import count_link_mail
from accounts.registration import Taken, WrongPassword, change_password, check_login, register
from accounts.verification.gate import OFF
from cryptons.api.limits import count, too_many_attempts
from cryptons.client_address import client_ip


def _next_page(request: HttpRequest) -> dict[str, str]:
    """Return the forms' context that keeps the requested page through login and registration."""
    url = request.POST.get("next") or request.GET.get("next", "")
    return {"next": url, "query": f"?next={quote(url, errors='replace')}" if url else ""}


def _refuse_too_many(request: HttpRequest, form: Form, template: str, context: dict[str, Any]) -> HttpResponse | None:
    """Count the attempt, before any password is checked. Return the page with an error message if this client made too many."""
    allowed, headers = count(settings.RATE_LIMIT_AUTH, "auth", client_ip(request))
    if allowed:
        return None
    return _refuse(request, form, template, context, headers)


def _refuse(request: HttpRequest, form: Form, template: str, context: dict[str, Any], headers: Mapping[str, str]) -> HttpResponse:
    """Return the page with an error message that says how long to wait."""
    form.add_error(None, too_many_attempts(headers))
    response = render(request, template, context, status=429)
    response.headers["Retry-After"] = headers["Retry-After"]
    return response


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login_page(request: HttpRequest) -> HttpResponse:
    form = LoginForm(request.POST or None)
    context = {"form": form, **_next_page(request)}
    if request.method == "POST" and form.is_valid():
        try:
            user = check_login(request, form.cleaned_data["name"], form.cleaned_data["password"])
        except TooManyTries as error:
            return _refuse(request, form, "accounts/login.html", context, error.headers)
        if user is not None:
            return proceed(request, user, next_url(request))
        form.add_error(None, _("Wrong username or password."))
    return render(request, "accounts/login.html", context, status=400 if form.errors else 200)


@require_http_methods(["POST"])
def logout_page(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def register_page(request: HttpRequest) -> HttpResponse:
    form = RegisterForm(request.POST or None)
    context = {"form": form, **_next_page(request)}
    if request.method == "POST":
        if refusal := _refuse_too_many(request, form, "accounts/register.html", context):
            return refusal
        if form.is_valid():
            try:
                user = register(
                    form.cleaned_data["username"],
                    form.cleaned_data["email"],
                    form.cleaned_data["password"],
                    language=get_language() or "",
                )
            except Taken as error:
                form.add_error(error.field, str(error))
            else:
                auth.login(request, user, backend=BACKEND)
                if count_link_mail(request, user.email) is None:
                    send_verification(user)
                messages.success(request, _("Welcome, %(name)s.") % {"name": user.username})
                response = redirect(next_url(request))
                notice_login(request, user, response, is_expected=True)
                return response
    return render(request, "accounts/register.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile_page(request: HttpRequest) -> HttpResponse:
    user = page_user(request)
    form = ProfileForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        form.save(commit=False).save(update_fields=form.Meta.fields)  # not a password or a right that has changed since it was read
        messages.success(request, _("Saved."))
        return redirect("accounts:profile")
    context = {"form": form, "verifies_identity": settings.VERIFICATION_PROVIDER != OFF}
    return render(request, "accounts/profile.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def address_page(request: HttpRequest) -> HttpResponse:
    user = page_user(request)
    form = AddressForm(request.POST or None, initial=user.address)
    if request.method == "POST" and form.is_valid():
        user.address = form.address()
        user.save(update_fields=["address"])
        messages.success(request, _("Address saved. We fill it in at the checkout for you."))
        return redirect("accounts:address")
    return render(request, "accounts/address.html", {"form": form}, status=400 if form.errors else 200)


@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def password_page(request: HttpRequest) -> HttpResponse:
    user = page_user(request)
    form = PasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            change_password(request, user, form.cleaned_data["current"], form.cleaned_data["new"])
        except TooManyTries as error:
            return _refuse(request, form, "accounts/password.html", {"form": form}, error.headers)
        except WrongPassword as error:
            form.add_error("current", str(error))
        else:
            update_session_auth_hash(request, user)
            messages.success(request, _("Password changed. All other devices have been logged out."))
            return redirect("accounts:profile")
    return render(request, "accounts/password.html", {"form": form}, status=400 if form.errors else 200)
