"""Pages for a forgotten password, and those that links from mails open."""

from collections.abc import Callable, Mapping

from django.conf import settings
from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts.email_address import change_email, verify_email
from accounts.forms import ForgottenForm, NewPasswordForm
from accounts.links import Kind, LinkOver, OpenLink, hours, read_link
from accounts.login_steps import proceed
from accounts.mail_limits import count_link_mail
from accounts.recovery import request_link, set_new_password
from accounts.registration import Taken
from cryptons.api.limits import too_many_attempts
from cryptons.private_link import private_link

SESSION_KEY = "account_link"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten_page(request: HttpRequest) -> HttpResponse:
    form = ForgottenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if headers := count_link_mail(request, form.cleaned_data["email"]):
            return too_many_mails(request, form, "accounts/forgotten.html", headers)
        request_link(Kind.RESET, form.cleaned_data["email"], language=get_language() or "")
        return redirect("accounts:forgotten_sent")
    return render(request, "accounts/forgotten.html", {"form": form}, status=400 if form.errors else 200)


def too_many_mails(request: HttpRequest, form: Form, template: str, headers: Mapping[str, str]) -> HttpResponse:
    form.add_error(None, too_many_attempts(headers))
    response = render(request, template, {"form": form}, status=429)
    response.headers["Retry-After"] = headers["Retry-After"]
    return response


@require_safe
def forgotten_sent_page(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/forgotten_sent.html", {"hours": hours(Kind.RESET)})


@require_safe
@private_link
def open_link(request: HttpRequest, key: str) -> HttpResponse:
    """Take the key out of the address into the session, so that neither the browser's history nor a click hands it on.

    Nothing is done yet: programs that look at mails open links too.
    """
    try:
        read_link(key, at=timezone.now())
    except LinkOver:
        return _link_over(request)
    request.session[SESSION_KEY] = key
    return redirect("accounts:link")


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@private_link
def link_page(request: HttpRequest) -> HttpResponse:
    """Ask what the link needs, and do what it is for."""
    try:
        link = read_link(request.session.get(SESSION_KEY, ""), at=timezone.now())
        if link.kind in (Kind.RESET, Kind.UNDO):
            return _choose_password(request, link)
        return _confirm_email(request, link)
    except LinkOver:
        request.session.pop(SESSION_KEY, None)
        return _link_over(request)


def _link_over(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/link_over.html", status=404)


def _choose_password(request: HttpRequest, link: OpenLink) -> HttpResponse:
    """Log in the person who set a password, up to the second factor: after many wrong tries the login would make them wait."""
    form = NewPasswordForm(link.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = set_new_password(link, form.cleaned_data["new"])
        request.session.pop(SESSION_KEY, None)
        response = proceed(request, user, resolve_url(settings.LOGIN_REDIRECT_URL), is_expected=True)
        messages.success(request, _("Your new password is set."))
        return response
    context = {"form": form, "email": link.email, "is_undo": link.kind == Kind.UNDO}
    return render(request, "accounts/new_password.html", context, status=400 if form.errors else 200)


def _confirm_email(request: HttpRequest, link: OpenLink) -> HttpResponse:
    act: Callable[[OpenLink], None] = change_email if link.kind == Kind.CHANGE else verify_email
    problem = ""
    if request.method == "POST":
        try:
            act(link)
        except Taken as error:
            problem = str(error)
        else:
            request.session.pop(SESSION_KEY, None)
            messages.success(request, _("Your email address is confirmed."))
            return redirect("accounts:email")
    context = {"email": link.email, "is_change": link.kind == Kind.CHANGE, "problem": problem}
    return render(request, "accounts/confirm_email.html", context, status=409 if problem else 200)
