"""The OpenAPI document, and a page to read and try it. Its scripts are files of this server."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView

from cryptons.api.envelope import error_response

View = Callable[[HttpRequest], HttpResponseBase]


def read_only(view: View) -> View:
    """Answer other methods with the API's envelope."""

    @csrf_exempt
    @wraps(view)
    def respond(request: HttpRequest) -> HttpResponseBase:
        if request.method in ("GET", "HEAD"):
            return view(request)
        message = _('Method "%(method)s" not allowed.') % {"method": request.method}
        return error_response(405, "METHOD_NOT_ALLOWED", message, {"Allow": "GET, HEAD"})

    return respond


class CompactRenderer(OpenApiJsonRenderer):
    """Writes no indentation, which would be two thirds of the document and is what takes longest to write."""

    def get_indent(self, accepted_media_type: str, renderer_context: Mapping[str, Any]) -> None:
        return None


schema = read_only(SpectacularAPIView.as_view(renderer_classes=[CompactRenderer], authentication_classes=[], permission_classes=[]))


@read_only
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")
