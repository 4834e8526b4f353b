"""Rows of money are looked at, never edited: they change through the payment rules alone."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from cryptons.whole_admin import LONGEST_SEARCH


def buttons(links: Iterable[tuple[str, str]]) -> SafeString:
    """From (words, address) each."""
    return format_html_join("", '<a class="button" href="{1}">{0}</a> ', links) or SafeString("–")


class ReadOnly(admin.ModelAdmin[Model]):
    """Looked at, never edited: rows of money change through the payment rules alone."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Model], search_term: str) -> tuple[QuerySet[Model], bool]:
        return super().get_search_results(request, queryset, search_term[:LONGEST_SEARCH])

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
