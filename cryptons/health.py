from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from cryptons.api.envelope import error_response


def healthz(request: HttpRequest) -> HttpResponse:
    """Whether this process can serve: it answers, and its database does."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return error_response(503, "SERVICE_UNAVAILABLE", "The database cannot be reached.")
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
