"""Keep staff without a second factor out of the staff's pages where it is required."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.models import User

STAFF_PAGES = {"admin", "exceptions"}
"""Namespaces of addresses. What staff may do elsewhere depends on permissions, which `User.has_perm` refuses."""


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
