"""Pages of the second factor: the code at the login, setting it up, switching it off, and asking again before what weighs much."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.forms import CodeForm, SetUpForm
from accounts.login_limits import TooManyTries
from accounts.login_steps import finish, next_url, page_user, pending_login
from accounts.models import User
from accounts.one_time_codes import app_uri, grouped
from accounts.registration import WrongPassword, check_current_password
from accounts.second_factor import begin, check_code, confirm, count_recovery_codes, mark_fresh, pending, remove, renew_recovery_codes
from cryptons.qr_code import qr_svg
from cryptons.shop_identity import shop_name

WRONG_CODE = gettext_lazy("This code is wrong or was used before.")


P = ParamSpec("P")


def _answer_too_many(view: Callable[P, HttpResponse]) -> Callable[P, HttpResponse]:
    """Answer with a page of its own when there were too many wrong codes or passwords."""

    @wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except TooManyTries as error:
            request: Any = args[0]
            response = render(request, "429.html", {"text": str(error)}, status=429)
            response.headers["Retry-After"] = error.headers["Retry-After"]
            return response

    return limited


def _is_right(request: HttpRequest, user: User, form: Form) -> bool:
    """Return whether the form has a right code, or add the error. Raises TooManyTries."""
    if not form.is_valid():
        return False
    if not check_code(request, user, form.cleaned_data["code"]):
        form.add_error("code", str(WRONG_CODE))
        return False
    return True


def _set_up(request: HttpRequest, user: User, form: Form) -> list[str] | None:
    """Switch the second factor on for the right password and code, or add the error. Raises TooManyTries."""
    if not form.is_valid():
        return None
    try:
        check_current_password(request, user, form.cleaned_data["password"])
    except WrongPassword as error:
        form.add_error("password", str(error))
        return None
    codes = confirm(user, form.cleaned_data["code"])
    if codes is None:
        form.add_error("code", _("This code is wrong. Is the clock of your telephone right?"))
    return codes


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@_answer_too_many
def login_code_page(request: HttpRequest) -> HttpResponse:
    """The login's second step."""
    login = pending_login(request)
    if login is None:
        messages.info(request, _("Please log in again."))
        return redirect("accounts:login")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and _is_right(request, login.user, form):
        return finish(request, login)
    return render(request, "accounts/login_code.html", {"form": form}, status=400 if form.errors else 200)


@sensitive_post_parameters()
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@_answer_too_many
def ask_again_page(request: HttpRequest) -> HttpResponse:
    """Ask for a code, and go on to the page that needs it."""
    user, url = page_user(request), next_url(request)
    if not user.has_second_factor:
        return redirect(url)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and _is_right(request, user, form):
        mark_fresh(request)
        return redirect(url)
    return render(request, "accounts/ask_again.html", {"form": form, "next": url}, status=400 if form.errors else 200)


@sensitive_post_parameters()
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@_answer_too_many
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Show whether the second factor is on; switch it off or make new recovery codes for a code; begin to set it up."""
    user = page_user(request)
    if request.method == "POST" and not user.has_second_factor:
        begin(user)
        return redirect("accounts:set_up_second_factor")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and _is_right(request, user, form):
        if request.POST.get("action") == "remove":
            remove(user)
            update_session_auth_hash(request, user)
            messages.success(request, _("The second factor is off."))
            return redirect("accounts:second_factor")
        mark_fresh(request)
        return _show_codes(request, renew_recovery_codes(user))
    context = {"form": form, "is_required": user.lacks_second_factor, "left": count_recovery_codes(user)}
    return render(request, "accounts/second_factor.html", context, status=400 if form.errors else 200)


@sensitive_post_parameters()
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@_answer_too_many
def set_up_page(request: HttpRequest) -> HttpResponse:
    user = page_user(request)
    factor = pending(user)
    if factor is None:
        return redirect("accounts:second_factor")
    form = SetUpForm(request.POST or None)
    if request.method == "POST" and (codes := _set_up(request, user, form)) is not None:
        update_session_auth_hash(request, user)
        mark_fresh(request)
        return _show_codes(request, codes)
    context = {
        "form": form,
        "secret": grouped(factor.secret),
        "qr": qr_svg(app_uri(factor.secret, account=user.username, shop=shop_name())),
    }
    return render(request, "accounts/set_up_second_factor.html", context, status=400 if form.errors else 200)


def _show_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return render(request, "accounts/recovery_codes.html", {"codes": [grouped(code) for code in codes]})
