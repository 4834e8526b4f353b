from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from pymongo.errors import PyMongoError
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.settings import api_settings

from cryptons.api.envelope import error_response
from cryptons.api.errors import DATABASE_AWAY
from cryptons.api.permissions import has_permission
from cryptons.db import ping
from cryptons.disk import read_disk
from payments.api.nodes import recent_nodes


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while this process can serve, its database answers and its disk can be written.

    Staff who may see nodes also get the state of the nodes and the disk.
    """
    try:
        ping()
    except (Error, PyMongoError):
        return error_response(503, "SERVICE_UNAVAILABLE", str(DATABASE_AWAY))
    disk = read_disk()
    if not disk.can_be_written:
        return error_response(503, "SERVICE_UNAVAILABLE", disk.problem)
    body: dict[str, Any] = {"status": "ok"}
    person = _person(request)
    if has_permission(person, "nodes:read"):
        body["details"] = {"nodes": recent_nodes(), "disk": {"problem": disk.problem}}
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


def _person(request: HttpRequest) -> Any:
    """Return the user of the browser's session or of the token. A probe has neither, and costs no query."""
    if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
        return request.user
    if "Authorization" not in request.headers:
        return AnonymousUser()
    kinds: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    try:
        return Request(request, authenticators=[kind() for kind in kinds]).user
    except APIException:
        return AnonymousUser()


urlpatterns = [path("healthz", healthz)]
