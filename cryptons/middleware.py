"""Give every request an id that its log lines carry, and the security headers that Django does not set."""

import logging
import re
import time
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import uuid4

from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

from cryptons import logs
from cryptons.audit.acting import acting
from cryptons.handler import set_missing

logger = logging.getLogger("cryptons.middleware")

Respond = Callable[[HttpRequest], HttpResponse]

HEADERS = {
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class RequestIdMiddleware:
    """Bind the request's id to its log lines, and log the request. A proxy's X-Request-ID is kept if it is well-formed."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_of(request.headers.get("X-Request-ID", "")) or uuid4().hex
        logs.request_id.set(request_id)
        started = time.perf_counter()
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        log_request(request.method or "", request.path, response.status_code, started)
        return response


class ActingMiddleware:
    """Let the audit log know whose request it is. Without an audited change nobody is asked who they are."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting(request):
            return self.get_response(request)


def request_id_of(given: str) -> str:
    """Return a proxy's X-Request-ID if it is well-formed, or nothing."""
    return given if _REQUEST_ID.fullmatch(given) else ""


def log_request(method: str, path: str, status: int, started: float) -> None:
    """Log a request that began at `started`, in seconds of the performance counter."""
    milliseconds = round((time.perf_counter() - started) * 1000)
    logger.info("request", extra={"method": method, "path": path, "status": status, "ms": milliseconds})


class SecurityHeadersMiddleware:
    """Add the headers that an answer does not set itself. What does not say that it may be cached is kept by nobody."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        set_missing(response, HEADERS)
        if not (settings.DEBUG and response.status_code in (404, 500)):  # Django's own pages then, which have scripts in them
            response.headers.setdefault("Content-Security-Policy", _content_security_policy())
        return response


@cache
def _content_security_policy() -> str:
    """Return the policy of all answers. To write it takes longer than all other headers together."""
    return build_policy()


def security_headers() -> dict[str, str]:
    """Return the headers that Django puts on each answer, for what is sent without it; HSTS is among them if PUBLIC_URL is https."""
    request = HttpRequest()
    request.META["HTTP_X_FORWARDED_PROTO"] = "https"  # believed only if PUBLIC_URL is https
    respond: Any = SecurityMiddleware(SecurityHeadersMiddleware(lambda _request: HttpResponse()))
    return {name: value for name, value in respond(request).headers.items() if name != "Content-Type"}
