"""The shop's figures on the admin's home page."""

from collections.abc import Sequence
from typing import Any

from django import template
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cryptons.api.permissions import has_permission
from shop.figures.charts import chart_of, percent_of
from shop.figures.reading import DEFAULT_PERIOD, PERIODS, Part, known_currencies, read_analytics

register = template.Library()

WORDS: dict[str, str | Promise] = {"7d": _("7 days"), "30d": _("30 days"), "90d": _("90 days"), "1y": _("1 year")}


@register.inclusion_tag("shop/admin/_figures.html", takes_context=True)
def figures(context: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the period and currency in the page's address; of the usual ones for any other words there."""
    request: HttpRequest = context["request"]
    if not has_permission(request.user, "stats:read"):
        return {}
    period, currency = request.GET.get("period", ""), request.GET.get("currency", "")
    currencies = known_currencies()
    shown = read_analytics(
        period if period in PERIODS else DEFAULT_PERIOD,
        at=timezone.now(),
        currency=currency if currency in currencies else currencies[0],
    )
    return {
        "figures": shown,
        "chart": chart_of(shown.days),
        "periods": [(code, WORDS[code], code == shown.period) for code in PERIODS],
        "currencies": [(code, code == shown.currency) for code in currencies] if len(currencies) > 1 else [],
        "coins": _with_bars(shown.coins),
        "categories": _with_bars(shown.categories),
        "products": _with_bars(shown.products),
        "sees_products": request.user.has_perm("shop.view_product"),
    }


def _with_bars(parts: Sequence[Part]) -> list[tuple[Part, int]]:
    """Pair each part with the length of its bar."""
    most = max((part.amounts.revenue_minor for part in parts), default=0)
    return [(part, percent_of(part.amounts.revenue_minor, most)) for part in parts]
