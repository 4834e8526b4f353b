"""Counts every request to /api/ before its body is read, and puts the envelope around errors that escape a view.

It is counted for its client, or by the limit that another middleware set as `request.rate_limit`: `(limit, kind, who)`.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from cryptons.api.envelope import error_response
from cryptons.api.errors import handle, is_api
from cryptons.api.limits import count, too_many_requests
from cryptons.client_address import client_ip
from cryptons.handler import set_missing


class ApiMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request) or request.method == "OPTIONS":
            return self.get_response(request)
        own: tuple[str, str, str] | None = getattr(request, "rate_limit", None)
        allowed, headers = count(*(own or (settings.RATE_LIMIT_API, "api", client_ip(request))))
        if not allowed:
            return error_response(429, "RATE_LIMITED", too_many_requests(headers), headers)
        response = self.get_response(request)
        set_missing(response, headers)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer an error outside of REST framework's views, which have their own handler."""
        if not is_api(request):
            return None
        answer = handle(exception, {})
        data = answer.data or {}
        return error_response(answer.status_code, data["error"]["code"], data["error"]["message"])
