"""What Django shows when something goes wrong: the API's envelope under /api/, a page elsewhere."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from cryptons.api.envelope import error_response
from cryptons.api.errors import INTERNAL, is_api


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return error_response(400, "VALIDATION_ERROR", "The request cannot be read.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return error_response(403, "FORBIDDEN", "You may not do this.")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return error_response(404, "NOT_FOUND", "There is nothing at this address.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if is_api(request):
        return error_response(500, "INTERNAL_ERROR", INTERNAL)
    return defaults.server_error(request)
