"""The audit log for who may view it: filters, search, a file; no way to add, change or delete."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from cryptons.audit.models import Entry
from cryptons.csv_lines import csv_download

COLUMNS = ("number", "time", "person", "address", "way", "action", "kind", "object", "object id", "changes", "previous hash", "hash")
MAX_SEARCH_LENGTH = 500


def cells(entries: QuerySet[Entry]) -> Iterator[Sequence[Any]]:
    """Write entries in the order of COLUMNS, oldest first."""
    for entry in entries.order_by("at", "id").iterator(chunk_size=500):
        who, what = (entry.person, entry.address, entry.get_way_display()), (entry.action, entry.object_type, entry.object_name)
        yield (entry.seq, entry.at, *who, *what, entry.object_id, changes_as_text(entry), entry.previous, entry.digest)


def changes_as_text(entry: Entry) -> str:
    return "; ".join(f"{field}: {before} → {after}" if before else f"{field}: {after}" for field, (before, after) in entry.changes.items())


class UsedValues(admin.AllValuesFieldListFilter):
    """Show an empty value, such as the person of what the worker did, as a dash: a link needs a name."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        return ({**choice, "display": choice["display"] or self.empty_value_display} for choice in super().choices(changelist))


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin[Entry]):
    list_display = ("moment", "who", "way", "action", "what", "changed")
    list_display_links = ("moment",)
    list_filter = ("at", "way", ("object_type", UsedValues), ("action", UsedValues), ("person", UsedValues))
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("person", "address", "action", "object_name", "object_id")
    search_help_text = _("Person, address, action, or name or id of the object")
    change_list_template = "audit/entry_list.html"
    fields = ("seq", "moment", "who", "way", "action", "what", "changed_fields", "previous", "digest")
    readonly_fields = fields

    class Media:
        css = {"all": ("css/admin_audit.css",)}

    def get_urls(self) -> list[URLPattern]:
        return [path("export/", self.admin_site.admin_view(self.export), name="audit_entry_export"), *super().get_urls()]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str) -> tuple[QuerySet[Entry], bool]:
        return super().get_search_results(request, queryset, search_term[:MAX_SEARCH_LENGTH])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:
        return False

    @admin.display(description=_("time"), ordering="at")
    def moment(self, entry: Entry) -> str:
        """Show the second and the zone: what came first matters here."""
        return f"{timezone.localtime(entry.at):%Y-%m-%d %H:%M:%S %Z}"

    @admin.display(description=_("person"), ordering="person")
    def who(self, entry: Entry) -> str:
        return ", ".join(part for part in (entry.person, entry.address) if part) or "–"

    @admin.display(description=_("object"), ordering="object_name")
    def what(self, entry: Entry) -> SafeString | str:
        name = f"{entry.object_type} {entry.object_name}".strip() or "–"
        page = self._page_of(entry)
        return format_html('<a href="{}">{}</a>', page, name) if page else name

    def _page_of(self, entry: Entry) -> str:
        """Return the admin page of the object; it may be gone by now."""
        for model in self.admin_site._registry:
            if entry.object_id and model._meta.model_name == entry.object_type and entry.action != "delete":
                try:
                    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[entry.object_id])
                except NoReverseMatch:
                    return ""
        return ""

    @admin.display(description=_("changes"))
    def changed(self, entry: Entry) -> str:
        return Truncator(changes_as_text(entry)).chars(160)

    @admin.display(description=_("changes"))
    def changed_fields(self, entry: Entry) -> SafeString | str:
        rows = ((field, before or "–", after or "–") for field, (before, after) in entry.changes.items())
        lines = format_html_join("", "<li><strong>{}</strong>: {} → {}</li>", rows)
        return format_html("<ul>{}</ul>", lines) if lines else "–"

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Send what the list shows with the same filters as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect("admin:audit_entry_changelist")
        return csv_download("audit", chain([COLUMNS], cells(listed.queryset)))
