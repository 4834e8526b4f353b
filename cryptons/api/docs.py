"""The OpenAPI document, and a page to read and try it. The page has no inline script, and its scripts come from this server."""

import json
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
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


schema = read_only(SpectacularAPIView.as_view(renderer_classes=[OpenApiJsonRenderer], authentication_classes=[], permission_classes=[]))


@read_only
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")


@read_only
def docs_settings(request: HttpRequest) -> HttpResponse:
    """Answer the script that starts the viewer: the content security policy allows no inline script.

    Without deep links: the viewer puts them into buttons, where a screen reader does not find them.
    """
    options = {"url": reverse("api_schema"), "dom_id": "#docs", "persistAuthorization": False}
    return HttpResponse(f"window.ui = SwaggerUIBundle({json.dumps(options)});", content_type="text/javascript")
