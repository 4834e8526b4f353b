"""The page of the shop's settings in the admin. There is one row, so its list leads to its form."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cryptons.atomic_admin import AtomicModelAdmin
from shop.settings.changes import SettingsMoved, change_settings
from shop.settings.current import stored_settings
from shop.settings.forms import form_of_languages, text_fields
from shop.settings.models import ONLY, ShopSettings
from shop.settings.page_admin import ContentPageAdmin as ContentPageAdmin  # registers itself


@admin.register(ShopSettings)
class ShopSettingsAdmin(AtomicModelAdmin[ShopSettings]):
    readonly_fields = ("logo_preview", "favicon_preview")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> ShopSettings | None:
        return stored_settings() if object_id == str(ONLY) else None

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{**kwargs, "form": form_of_languages()})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        look = (
            ["name", "logo_preview", "logo_upload"]
            + (["no_logo"] if obj and obj.logo else [])
            + ["favicon_preview", "favicon_upload"]
            + (["no_favicon"] if obj and obj.favicon else [])
            + ["accent", "accent_dark", "seen_version"]
        )
        return [
            (_("The shop"), {"fields": look}),
            (_("Home page"), {"fields": [*text_fields("home_title"), *text_fields("home_text")]}),
            (_("Contact"), {"fields": ["email", "phone"]}),
            (_("Seller"), {"fields": ["company", "address", "register", "vat_id"]}),
            (_("Checkout"), {"fields": ["asks_for_terms"]}),
            (_("Mails"), {"fields": text_fields("mail_footer"), "description": _("Empty: who sells.")}),
        ]

    @admin.display(description=gettext_lazy("current logo"))
    def logo_preview(self, row: ShopSettings) -> SafeString | str:
        return _preview(row.logo_url)

    @admin.display(description=gettext_lazy("current icon"))
    def favicon_preview(self, row: ShopSettings) -> SafeString | str:
        return _preview(row.favicon_url)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect("admin:settings_shopsettings_change", ONLY)

    def changeform_view(self, request: HttpRequest, *args: Any, **named: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **named)
        except SettingsMoved as error:  # after the form had been checked
            messages.error(request, str(error))
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: ShopSettings, form: Any, change: bool) -> None:
        change_settings(form.stored_values(), version=form.cleaned_data["seen_version"])


def _preview(url: str) -> SafeString | str:
    return format_html('<img src="{}" alt="" height="40">', url) if url else "–"
