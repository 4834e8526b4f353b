"""Admin pages for rows of money, which staff can see but not edit: only invoices, payouts and followers change them."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from cryptons.atomic_admin import MAX_SEARCH_LENGTH


def buttons(links: Iterable[tuple[str, str]]) -> SafeString:
    """Show links as buttons, from the label and the address of each."""
    return format_html_join("", '<a class="button" href="{1}">{0}</a> ', links) or SafeString("–")


FLAGS: dict[str, str | Promise] = {
    "underpaid": _("underpaid"),
    "overpaid": _("overpaid"),
    "late": _("late"),
    "slow": _("slow to confirm"),
    "manual": _("decided by staff"),
    "reorged": _("taken back"),
    "double_spent": _("double spent"),
}


def flag_words(flags: Iterable[str]) -> str:
    """Name an invoice's flags as staff read them."""
    return ", ".join(str(FLAGS.get(flag, flag)) for flag in sorted(flags))


class ReadOnly(admin.ModelAdmin[Model]):
    """Shows rows and offers no way to add, change or delete one."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Model], search_term: str) -> tuple[QuerySet[Model], bool]:
        return super().get_search_results(request, queryset, search_term[:MAX_SEARCH_LENGTH])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline[Model, Model]):
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
