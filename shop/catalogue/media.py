"""Serve pictures from MEDIA_ROOT, for a shop without a web server or bucket for them."""

from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils.http import http_date, parse_http_date_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif"}
"""The types that browsers show and cannot run; no other file in the folder is served."""


@require_safe
def media(request: HttpRequest, path: str) -> HttpResponseBase:
    """Send a picture with a year of caching: a file's content never changes under its name."""
    file = _find(path)
    if file is None:
        raise Http404(_("Picture not found"))
    changed = int(file.stat().st_mtime)
    since = parse_http_date_safe(request.headers.get("If-Modified-Since", ""))
    response: HttpResponseBase
    if since is not None and changed <= since:
        response = HttpResponseNotModified()
    else:
        response = FileResponse(file.open("rb"), content_type=TYPES[file.suffix.lower()])
    response.headers["Last-Modified"] = http_date(changed)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _find(path: str) -> Path | None:
    root = Path(settings.MEDIA_ROOT).resolve()
    try:
        file = (root / path).resolve()
        is_ours = file.is_relative_to(root) and file.suffix.lower() in TYPES and file.is_file()
    except (OSError, ValueError):
        return None
    return file if is_ours else None


urlpatterns = [path("<path:path>", media)]
