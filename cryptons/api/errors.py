"""Turns every error into the envelope. An app registers its own errors with `translate`, once."""

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from cryptons.api.envelope import error_response, failed
from cryptons.db import is_outage, is_row_gone

logger = logging.getLogger(__name__)

INTERNAL = "Internal Server Error"
DATABASE_AWAY = gettext_lazy("The database cannot be reached. Try again in a moment.")


class ApiError(Exception):
    """An error that a view answers. `details` has one row per problem: `{"field", "message"}`."""

    status = 400
    code = "VALIDATION_ERROR"

    def __init__(self, message: str, *, details: list[dict[str, str]] | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.details = details or []
        self.headers = headers or {}


class Invalid(ApiError):
    @classmethod
    def fields(cls, problems: Mapping[str, str]) -> Self:
        """Return the error for these fields, each with its own message."""
        details = [{"field": name, "message": message} for name, message in problems.items()]
        return cls(_("Some values cannot be accepted."), details=details)


class Unauthorized(ApiError):
    status, code = 401, "UNAUTHORIZED"


class OtpRequired(Unauthorized):
    code = "OTP_REQUIRED"


class NotFound(ApiError):
    status, code = 404, "NOT_FOUND"


class Conflict(ApiError):
    status, code = 409, "CONFLICT"


class RateLimited(ApiError):
    status, code = 429, "RATE_LIMITED"


class IdempotencyMismatch(ApiError):
    status, code = 422, "IDEMPOTENCY_MISMATCH"


Rows = Callable[[Any], list[dict[str, str]]]

_TRANSLATIONS: dict[type[Exception], tuple[int, str, Rows]] = {}


def translate(error: type[Exception], status: int, code: str, details: Rows = lambda error: []) -> None:
    """Answer this error, when a view raises it, with this status and code; its own text is the message, `details` makes its rows."""
    _TRANSLATIONS[error] = (status, code, details)


def translation(error: Exception) -> tuple[int, str, Rows] | None:
    return next((_TRANSLATIONS[kind] for kind in type(error).__mro__ if kind in _TRANSLATIONS), None)


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer an error, as REST framework's EXCEPTION_HANDLER."""
    status, body, headers = _answer(error)
    return Response(body, status=status, headers=dict(headers))


def _answer(error: Exception) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    if isinstance(error, ApiError):
        return error.status, failed(error.code, str(error), error.details), error.headers
    if (known := translation(error)) is not None:
        return known[0], failed(known[1], str(error), known[2](error)), {}
    if isinstance(error, exceptions.ValidationError):
        return 400, failed("VALIDATION_ERROR", _("Some values cannot be accepted."), list(rows(error.detail))), {}
    if isinstance(error, Http404 | ObjectDoesNotExist | exceptions.NotFound) or is_row_gone(error):
        return 404, failed("NOT_FOUND", _("Not found")), {}
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return 401, failed("UNAUTHORIZED", _sentence(error)), {"WWW-Authenticate": "Bearer"}
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return 403, failed("FORBIDDEN", _("You do not have permission to do this.")), {}
    if isinstance(error, exceptions.MethodNotAllowed):
        return 405, failed("METHOD_NOT_ALLOWED", _sentence(error)), {}
    if isinstance(error, exceptions.UnsupportedMediaType | exceptions.NotAcceptable):
        return 415, failed("UNSUPPORTED_MEDIA_TYPE", _sentence(error)), {}
    if isinstance(error, exceptions.ParseError | SuspiciousOperation):
        return 400, failed("VALIDATION_ERROR", _sentence(error)), {}
    if is_outage(error):
        logger.error("database unavailable", exc_info=error)
        return 503, failed("SERVICE_UNAVAILABLE", str(DATABASE_AWAY)), {"Retry-After": "5"}
    logger.error("unhandled error in the API", exc_info=error)
    return 500, _internal(error), {}


def _internal(error: Exception) -> dict[str, Any]:
    if settings.DEBUG:
        return failed("INTERNAL_ERROR", INTERNAL, stack="".join(traceback.format_exception(error)))
    return failed("INTERNAL_ERROR", INTERNAL)


def _sentence(error: Exception) -> str:
    detail = getattr(error, "detail", None) or str(error)
    return str(detail)


def rows(detail: Any, field: str = "") -> Iterator[dict[str, str]]:
    """Flatten REST framework's nested errors into rows, with fields joined by dots: `items.0.quantity`."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            here = field if name == "non_field_errors" else f"{field}.{name}" if field else str(name)
            yield from rows(inner, here)
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from rows(inner, f"{field}.{position}" if nested and field else field)
    else:
        yield {"field": field, "message": str(detail)}


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.path == "/api"


@csrf_exempt
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an unknown route, with any method."""
    return error_response(404, "NOT_FOUND", _("There is nothing at this address."))
