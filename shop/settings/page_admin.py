"""The content pages in the admin: a draft with its preview, the versions that were published, and what shows or hides them."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cryptons.admin_actions import ConfirmationPage, Confirmed, confirm
from cryptons.atomic_admin import AtomicModelAdmin
from cryptons.formats import long_moment
from shop.settings.models import PAGE_KINDS, ContentPage, PageVersion
from shop.settings.outlines import outline
from shop.settings.page_changes import (
    PageMoved,
    PageRefused,
    add_page,
    change_page,
    hide_page,
    publish_page,
    restore_version,
    what_is_missing,
)
from shop.settings.page_forms import HIDE, PUBLISH, form_of_languages, text_fields
from shop.settings.pages import show


@admin.register(ContentPage)
class ContentPageAdmin(AtomicModelAdmin[ContentPage]):
    list_display = ("name", "slug", "state", "in_footer", "position", "updated_at")
    readonly_fields = ("state", "versions")
    add_form_template = change_form_template = "admin/settings/contentpage/change_form.html"
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: ContentPage | None = None) -> bool:
        """A page that was published stays, because its versions do."""
        return super().has_delete_permission(request, obj) and not (obj and obj.versions.exists())

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{**kwargs, "form": form_of_languages()})

    def get_fieldsets(self, request: HttpRequest, obj: ContentPage | None = None) -> Any:
        if not self.has_change_permission(request, obj) and obj:
            return [(None, {"fields": ["slug", "state", "in_footer", "position", "versions"]})]
        head = ["state"] if obj else ["kind", "slug"]
        tail = ["in_footer", "position", "seen_version"] + (["versions"] if obj else [])
        return [(None, {"fields": [*head, *text_fields(), *tail]})]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with the outline of the page that the address names."""
        kind = request.GET.get("kind", "")
        words = {f"{name}_{language}": text for language, pair in outline(kind).items() for name, text in pair.items()}
        return {"kind": kind, **words} if words else {}

    def render_change_form(
        self, request: HttpRequest, context: Any, add: bool = False, change: bool = False, form_url: str = "", obj: Any = None
    ) -> HttpResponse:
        if obj is None:
            taken = set(ContentPage.objects.values_list("slug", flat=True))
            context["outlines"] = [(kind, name) for kind, name in PAGE_KINDS.items() if kind not in taken]
        else:
            context["missing"] = what_is_missing(obj.texts)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/preview/", wrap(self.preview), name="settings_contentpage_preview"),
            path("<uuid:pk>/versions/<int:number>/", wrap(self.show_version), name="settings_contentpage_version"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("title"))
    def name(self, page: ContentPage) -> str:
        return str(page)

    @admin.display(description=gettext_lazy("published"))
    def state(self, page: ContentPage) -> SafeString | str:
        if not page.published:
            return _("Not published")
        words = _("Version %(number)s") % {"number": page.published}
        return format_html('<a href="{}">{}</a>', page.get_absolute_url(), words)

    @admin.display(description=gettext_lazy("history"))
    def versions(self, page: ContentPage) -> SafeString | str:
        rows = (
            (
                reverse("admin:settings_contentpage_version", args=[page.pk, version.number]),
                _("Version %(number)s") % {"number": version.number},
                long_moment(version.published_at),
                version.published_by,
            )
            for version in page.versions.all()
        )
        return format_html_join("", '<p><a href="{}">{}</a>, {} {}</p>', rows) or _("Not published")

    def changeform_view(self, request: HttpRequest, *args: Any, **named: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **named)
        except (PageMoved, PageRefused) as error:  # after the form had been checked
            messages.error(request, str(error))
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: ContentPage, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in ("in_footer", "position")} | {"texts": form.stored_texts()}
        if change:
            change_page(obj.pk, values, version=form.cleaned_data["seen_version"])
        else:
            add_page({**values, "slug": form.cleaned_data["slug"]}, pk=obj.pk)
        obj.texts = values["texts"]  # which the message after it calls the page by
        if PUBLISH in request.POST:
            publish_page(obj.pk, by=request.user.get_username(), at=timezone.now())
        elif HIDE in request.POST:
            hide_page(obj.pk)

    def response_post_save_add(self, request: HttpRequest, obj: ContentPage) -> HttpResponseRedirect:
        return self._stay(obj)

    def response_post_save_change(self, request: HttpRequest, obj: ContentPage) -> HttpResponseRedirect:
        return self._stay(obj)

    def _stay(self, page: ContentPage) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:settings_contentpage_change", args=[page.pk]))

    def preview(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show the draft as the page will look."""
        page = self._read(request, pk)
        return show(request, page, preview=_("Preview: this is the draft, which only staff can see."))

    def show_version(self, request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
        """Show a version as it was published, and make it the draft again when staff confirm."""
        page = self._read(request, pk)
        version = page.versions.filter(number=number).first()
        if version is None:
            raise Http404(_("There is no such version."))
        may_change = self.has_change_permission(request, page)
        if request.method == "POST" and not may_change:
            raise PermissionDenied

        def run(sent: Confirmed) -> HttpResponse:
            restore_version(pk, number, version=sent.values["version"])
            messages.success(request, _("The draft has the words of version %(number)s again.") % {"number": number})
            return redirect("admin:settings_contentpage_change", pk)

        return confirm(request, lambda: _describe(page, version, may_change=may_change), run, refusals=(PageMoved,))

    def _read(self, request: HttpRequest, pk: UUID) -> ContentPage:
        if not self.has_view_permission(request):
            raise PermissionDenied
        page = self.get_object(request, str(pk))
        if page is None:
            raise Http404(_("Page not found"))
        return page


class SeenVersion(forms.Form):
    """Of the page's row as staff saw it before they pressed the button."""

    version = forms.IntegerField(widget=forms.HiddenInput)


def _describe(page: ContentPage, version: PageVersion, *, may_change: bool) -> ConfirmationPage:
    back = reverse("admin:settings_contentpage_change", args=[page.pk])
    return ConfirmationPage(
        title=_("Version %(number)s") % {"number": version.number},
        question=_("Replace the draft by these words? What everybody sees changes when you publish the draft.") if may_change else "",
        button=_("Restore as draft") if may_change else "",
        back=back,
        form=SeenVersion,
        initial={"version": page.version},
        path=[(str(ContentPage._meta.verbose_name_plural), reverse("admin:settings_contentpage_changelist")), (str(page), back)],
        facts=[
            (_("Published"), [long_moment(version.published_at), version.published_by]),
            *((language, [words["title"], *words["text"].splitlines()]) for language, words in sorted(version.texts.items())),
        ],
    )
