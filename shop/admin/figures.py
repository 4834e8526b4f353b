from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from cryptons.api.permissions import has_permission
from cryptons.csv_lines import csv_download
from shop.figures.reading import DEFAULT_PERIOD, PERIODS, csv_rows


def download_figures(request: HttpRequest) -> HttpResponseBase:
    """Send the figures of the period in the page's address as CSV."""
    if not has_permission(request.user, "stats:read"):
        raise PermissionDenied
    period = request.GET.get("period", DEFAULT_PERIOD)
    if period not in PERIODS:
        message = _("Must be one of %(choices)s.") % {"choices": ", ".join(PERIODS)}
        return HttpResponseBadRequest(message, content_type="text/plain; charset=utf-8")
    return csv_download(f"figures-{period}", csv_rows(period, at=timezone.now()))
