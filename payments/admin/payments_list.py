"""The list of payments in the admin, with the sums of what it shows and the same rows as a file."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cryptons.csv_lines import csv_download
from payments.accounting.ledger import COLUMNS, LedgerRow, add_up, ledger, payouts_in
from payments.accounting.periods import Period, parse_moment
from payments.models import Payment, Payout

MOST_ADDED_UP = 10_000
"""A page that adds up more rows would be slow; the CSV file and `manage.py export_ledger` add up all of them."""

PERIOD = ("since", "until")


class PeriodFilter(admin.ListFilter):
    """Filter by two dates of the address, with links to the most common periods. All dates are in UTC."""

    title = _("first seen (UTC)")
    template = "payments/period_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, list[str]], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.others = {name: values[-1] for name, values in request.GET.lists() if name not in (*PERIOD, "p", "e")}
        self.since, self.until = (params.pop(name, [""])[-1] for name in PERIOD)

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(PERIOD)

    def period(self) -> Period:
        """Read the period. Raises IncorrectLookupParameters, after which the admin shows the whole list."""
        try:
            return Period(*(parse_moment(text) if text else None for text in (self.since, self.until)))
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.period().of("first_seen_at"))

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        for name, dates in usual_periods(timezone.now()).items():
            yield {
                "display": name,
                "selected": (self.since, self.until) == dates,
                "query_string": changelist.get_query_string(dict(zip(PERIOD, (date or None for date in dates), strict=True))),
            }


def usual_periods(now: datetime) -> dict[str, tuple[str, str]]:
    """Return the first day of each common period and the day after its last, by name. An open end is empty."""
    month = now.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    return {
        gettext("Any time"): ("", ""),
        gettext("Today"): (f"{now:%Y-%m-%d}", ""),
        gettext("This month"): (f"{month:%Y-%m-%d}", ""),
        gettext("Last month"): (f"{last_month:%Y-%m-%d}", f"{month:%Y-%m-%d}"),
        gettext("This year"): (f"{now:%Y}-01-01", ""),
    }


class LedgerAdmin(admin.ModelAdmin[Payment]):
    list_filter = ("network", "status", PeriodFilter)
    change_list_template = "payments/payment_list.html"

    def get_urls(self) -> list[URLPattern]:
        export = path("export/", self.admin_site.admin_view(self.export), name="payments_payment_export")
        return [export, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context:
            listed = context["cl"]
            is_short = listed.result_count <= MOST_ADDED_UP
            context["figures"] = add_up(_rows(listed)) if is_short else None
            context["has_payouts"] = _payouts(listed) is not None
            context["most_added_up"] = MOST_ADDED_UP
        return response

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Send what the list shows with the same filters as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect("admin:payments_payment_changelist")
        return csv_download("ledger", chain([COLUMNS], (row.cells() for row in _rows(listed))))


def _rows(listed: ChangeList) -> Iterator[LedgerRow]:
    payouts = _payouts(listed)
    return ledger(listed.queryset, Payout.objects.none() if payouts is None else payouts)


def _payouts(listed: ChangeList) -> QuerySet[Payout] | None:
    """Return the payouts of the list's network and period, or None when a filter applies that only payments have."""
    filters = {name: values[-1] for name, values in listed.get_filters_params().items()}
    if listed.query or filters.keys() - {"network", *PERIOD}:
        return None
    (period,) = (spec.period() for spec in listed.filter_specs if isinstance(spec, PeriodFilter))
    return payouts_in(period, filters.get("network", ""))
