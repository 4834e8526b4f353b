"""What surrounds every request to /api/: the limit before anything is read, the envelope around whatever escapes a view."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from cryptons.api.envelope import error_response
from cryptons.api.errors import handle, is_api
from cryptons.api.limits import client_ip, count

LIMITED_MESSAGE = "Too many requests. Please wait."


class ApiMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request) or request.method == "OPTIONS":
            return self.get_response(request)
        allowed, headers = count(settings.RATE_LIMIT_API, "api", client_ip(request))
        if not allowed:
            return error_response(429, "RATE_LIMITED", LIMITED_MESSAGE, headers)
        response = self.get_response(request)
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """An error outside of REST framework's views; inside they have their own handler."""
        if not is_api(request):
            return None
        answer = handle(exception, {})
        data = answer.data or {}
        return error_response(answer.status_code, data["error"]["code"], data["error"]["message"])
