from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from pymongo.errors import PyMongoError

from cryptons.api.envelope import error_response
from cryptons.db import ping


def healthz(request: HttpRequest) -> HttpResponse:
    """Whether this process can serve: it answers, and its database does."""
    try:
        ping()
    except (Error, PyMongoError):
        return error_response(503, "SERVICE_UNAVAILABLE", "The database cannot be reached.")
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
