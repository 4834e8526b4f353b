"""Staff look at a buyer's documents, each look told to the audit log, and decide."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from accounts.verification.decisions import decide
from accounts.verification.documents import PDF, read_file
from accounts.verification.errors import VerificationError
from accounts.verification.gate import OFF
from accounts.verification.hits import clear_hit, restore_hit
from accounts.verification.models import Document, SanctionsHit, Verification
from cryptons.admin_actions import Action, ConfirmationPage, Confirmed, ReasonField, ReasonForm, action_buttons, confirm, permitted_action
from cryptons.atomic_admin import AtomicModelAdmin
from cryptons.audit.writing import audit

Status = Verification.Status
LOOK, DECIDE = "verification.view_document", "verification.change_verification"
CLEAR = "verification.change_sanctionshit"


class ApprovalForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput)
    """Of the verification, as the person saw it."""


class RejectionForm(ApprovalForm):
    reason = ReasonField(help_text=_("The buyer is told it by email."))


def _to(status: str) -> Callable[[Verification, Confirmed], None]:
    def run(row: Verification, sent: Confirmed) -> None:
        values = sent.values
        decide(row.pk, status, reason=values.get("reason", ""), by=sent.actor, at=sent.at, version=values["version"])

    return run


def _action(name: str, label: StrOrPromise, status: str, form: type[forms.Form]) -> Action[Verification]:
    return Action(
        name=name,
        label=label,
        permission=DECIDE,
        run=_to(status),
        fits=lambda row: row.status not in (status, Status.OPEN),
        form=form,
    )


ACTIONS = {
    action.name: action
    for action in (
        _action("approve", _("Approve"), Status.APPROVED, ApprovalForm),
        _action("reject", _("Reject, may try again"), Status.REJECTED, RejectionForm),
        _action("refuse", _("Refuse for good"), Status.REFUSED, RejectionForm),
    )
}


@admin.register(Verification)
class VerificationAdmin(AtomicModelAdmin[Verification]):
    list_display = ("buyer", "status", "provider", "submitted_at", "decided_at", "decided_by")
    list_filter = ("status", "provider")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    ordering = ("-pk",)
    fields = ("buyer", "status", "reason", "documents", "provider", "applicant_id", "submitted_at", "decided_at", "decided_by", "decisions")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Verification | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Verification | None = None) -> bool:
        """A verification goes with the account: who may delete that may not be kept from it."""
        return super().has_delete_permission(request, obj) or request.user.has_perm("accounts.delete_user")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return settings.VERIFICATION_PROVIDER != OFF and super().has_module_permission(request)

    def get_fields(self, request: HttpRequest, obj: Verification | None = None) -> Any:
        """Leave out what leads to pages that are not this person's."""
        needed = {"documents": LOOK, "decisions": DECIDE}
        return [name for name in self.fields if name not in needed or request.user.has_perm(needed[name])]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/document/<uuid:document_id>/", wrap(self.show_document), name="verification_verification_document"),
            path("<uuid:pk>/do/<str:name>/", wrap(self.act), name="verification_verification_act"),
            *super().get_urls(),
        ]

    @admin.display(description=_("buyer"), ordering="user__username")
    def buyer(self, row: Verification) -> str:
        return f"{row.user.get_username()} ({row.user.email})"

    @admin.display(description=_("documents"))
    def documents(self, row: Verification) -> SafeString:
        links = (
            (reverse("admin:verification_verification_document", args=[row.pk, document.pk]), str(document), document.content_type)
            for document in row.documents.order_by("added_at", "pk")
        )
        return format_html_join("", '<p><a href="{}" target="_blank" rel="noopener">{}</a> ({})</p>', links) or SafeString("–")

    @admin.display(description=_("decision"))
    def decisions(self, row: Verification) -> SafeString:
        return action_buttons(row, ACTIONS, "admin:verification_verification_act")

    def show_document(self, request: HttpRequest, pk: UUID, document_id: UUID) -> HttpResponse:
        """Send the document so that no browser runs or keeps anything of it; a PDF, which can hold scripts, as a download."""
        if not request.user.has_perm(LOOK):
            raise PermissionDenied
        document = get_object_or_404(Document, pk=document_id, verification=pk)
        try:
            content = read_file(document)
        except (OSError, ValueError, ImproperlyConfigured) as error:
            raise Http404(gettext("This document cannot be read: its file is missing or damaged, or its key is not known.")) from error
        audit("look at document", document.verification, {"document": ("", str(document.kind))})
        way, ending = ("attachment" if document.content_type == PDF else "inline"), document.content_type.rpartition("/")[2]
        return HttpResponse(
            content,
            content_type=document.content_type,
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'{way}; filename="{document.kind}.{ending}"',
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
                "X-Content-Type-Options": "nosniff",
            },
        )

    def act(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        """Ask to confirm a decision, and carry it out."""
        action = permitted_action(request, ACTIONS, name)
        row = get_object_or_404(Verification, pk=pk)

        def run(sent: Confirmed) -> None:
            action.run(row, sent)
            messages.success(request, gettext("Decided. The buyer is told by email."))

        return confirm(request, lambda: self._describe(action, Verification.objects.get(pk=pk)), run, refusals=(VerificationError,))

    def _describe(self, action: Action[Verification], row: Verification) -> ConfirmationPage:
        fits = action.fits(row)
        return ConfirmationPage(
            title=str(action.label),
            question=gettext("The buyer is told by email."),
            button=str(action.label) if fits else "",
            back=reverse("admin:verification_verification_change", args=[row.pk]),
            path=[
                (gettext("Verifications"), reverse("admin:verification_verification_changelist")),
                (row.user.get_username(), reverse("admin:verification_verification_change", args=[row.pk])),
            ],
            facts=[(gettext("Buyer"), [self.buyer(row)]), (gettext("Status"), [row.get_status_display()])],
            form=action.form,
            initial={"version": row.version},
        )


HIT_ACTIONS = {
    action.name: action
    for action in (
        Action[SanctionsHit](
            name="clear",
            label=_("Not this person: clear the match"),
            permission=CLEAR,
            run=lambda row, sent: clear_hit(row.pk, by=sent.actor, reason=sent.values["reason"], at=sent.at),
            fits=lambda row: row.cleared_at is None,
            form=ReasonForm,
        ),
        Action[SanctionsHit](
            name="restore",
            label=_("Refuse orders again"),
            permission=CLEAR,
            run=lambda row, sent: restore_hit(row.pk, by=sent.actor, reason=sent.values["reason"], at=sent.at),
            fits=lambda row: row.cleared_at is not None,
            form=ReasonForm,
        ),
    )
}


@admin.register(SanctionsHit)
class SanctionsHitAdmin(AtomicModelAdmin[SanctionsHit]):
    list_display = ("name", "email", "entry", "seen_at", "cleared_at", "cleared_by")
    search_fields = ("name", "email", "entry")
    ordering = ("-seen_at",)
    fields = ("name", "email", "entry", "seen_at", "cleared_at", "cleared_by", "reason", "decisions")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: SanctionsHit | None = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(settings.SANCTIONS_LIST) and super().has_module_permission(request)

    def get_fields(self, request: HttpRequest, obj: SanctionsHit | None = None) -> Any:
        """Leave out what leads to pages that are not this person's."""
        return [name for name in self.fields if name != "decisions" or request.user.has_perm(CLEAR)]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_urls(self) -> list[URLPattern]:
        act = self.admin_site.admin_view(self.act)
        return [path("<uuid:pk>/do/<str:name>/", act, name="verification_sanctionshit_act"), *super().get_urls()]

    @admin.display(description=_("decision"))
    def decisions(self, row: SanctionsHit) -> SafeString:
        return action_buttons(row, HIT_ACTIONS, "admin:verification_sanctionshit_act")

    def act(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        """Ask to confirm a decision about a match, and carry it out."""
        action = permitted_action(request, HIT_ACTIONS, name)
        row = get_object_or_404(SanctionsHit, pk=pk)

        def run(sent: Confirmed) -> None:
            action.run(row, sent)
            messages.success(request, gettext("Decided."))

        return confirm(request, lambda: self._describe(action, SanctionsHit.objects.get(pk=pk)), run, refusals=(VerificationError,))

    def _describe(self, action: Action[SanctionsHit], row: SanctionsHit) -> ConfirmationPage:
        return ConfirmationPage(
            title=str(action.label),
            question=gettext("It counts for this name with this email address, and for this entry alone."),
            button=str(action.label) if action.fits(row) else "",
            back=reverse("admin:verification_sanctionshit_change", args=[row.pk]),
            path=[
                (gettext("Matches of the sanctions list"), reverse("admin:verification_sanctionshit_changelist")),
                (str(row), reverse("admin:verification_sanctionshit_change", args=[row.pk])),
            ],
            facts=[(gettext("Name"), [row.name]), (gettext("Email"), [row.email]), (gettext("Entry of the list"), [row.entry])],
            form=action.form,
        )
