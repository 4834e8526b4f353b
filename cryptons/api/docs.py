"""The OpenAPI document, and a page to read and try it. The page has no inline script, and its scripts come from this server."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView

schema = SpectacularAPIView.as_view(renderer_classes=[OpenApiJsonRenderer], authentication_classes=[], permission_classes=[])


def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")


def docs_settings(request: HttpRequest) -> HttpResponse:
    """Answer the script that starts the viewer: the content security policy allows no inline script."""
    options = {"url": reverse("api_schema"), "dom_id": "#docs", "deepLinking": True, "persistAuthorization": False}
    return HttpResponse(f"window.ui = SwaggerUIBundle({json.dumps(options)});", content_type="text/javascript")
