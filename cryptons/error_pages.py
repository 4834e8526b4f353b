"""Answers errors outside of views: with the API's envelope under /api/, with a page elsewhere."""

import sys

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve, reverse
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _
from django.views import defaults

from cryptons.api.envelope import error_response
from cryptons.api.errors import DATABASE_AWAY, INTERNAL, is_api
from cryptons.db import is_outage


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return error_response(400, "VALIDATION_ERROR", _("The request cannot be read."))
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return error_response(403, "FORBIDDEN", _("You do not have permission to do this."))
    if _is_staffs(request):
        text = _("Your account does not have the rights for this. A superuser can give them to you.")
        return _staffs_page(request, 403, _("You are not allowed to see this page"), text)
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return error_response(404, "NOT_FOUND", _("There is nothing at this address."))
    if (address := _other_form(request)) and request.method in ("GET", "HEAD"):
        return HttpResponsePermanentRedirect(address)
    if _is_staffs(request):
        return _staffs_page(request, 404, _("Page not found"), _("It may have been deleted or moved."))
    return defaults.page_not_found(request, exception)


def _is_staffs(request: HttpRequest) -> bool:
    """Return whether the page is one of the admin, and the visitor may see the admin."""
    user = getattr(request, "user", None)
    return user is not None and request.path.startswith(reverse("admin:index")) and admin.site.has_permission(request)


def _staffs_page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    return render(request, "admin/refused.html", {**admin.site.each_context(request), "title": title, "text": text}, status=status)


def _other_form(request: HttpRequest) -> str:
    """Return the address with a slash more or less at its end, with its query, if only that one is known; otherwise an empty text."""
    path = request.path.removesuffix("/") if request.path.endswith("/") else f"{request.path}/"
    if _is_known(request.path) or not _is_known(path):
        return ""
    return escape_leading_slashes(path + (f"?{request.META['QUERY_STRING']}" if request.META.get("QUERY_STRING") else ""))


def _is_known(path: str) -> bool:
    try:
        return (
            getattr(resolve(path).func, "__name__", "") != "catch_all_view"
        )  # of the admin: it takes every address, to send people to the login
    except Resolver404:
        return False


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer status 500. Django calls it while it handles the exception."""
    error = sys.exception()
    if error is not None and is_outage(error):
        return _unavailable(request)
    if is_api(request):
        return error_response(500, "INTERNAL_ERROR", INTERNAL)
    return defaults.server_error(request)


def _unavailable(request: HttpRequest) -> HttpResponse:
    if is_api(request):
        response = error_response(503, "SERVICE_UNAVAILABLE", str(DATABASE_AWAY))
    else:
        response = HttpResponse(render_to_string("503.html"), status=503)
    response.headers["Retry-After"] = "5"
    return response
