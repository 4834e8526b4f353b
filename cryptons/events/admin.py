"""Admin pages of webhooks: endpoints with their buttons, and the log of deliveries. Rights are those over endpoints."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cryptons.admin_actions import ConfirmationPage, Confirmed, confirm
from cryptons.atomic_admin import AtomicModelAdmin
from cryptons.events import endpoints
from cryptons.events.public_address import check_url
from cryptons.events.types import EVENT_TYPES
from cryptons.events.webhook_models import WebhookDelivery, WebhookEndpoint

SUBJECTS = {
    "order": _("Orders"),
    "invoice": _("Invoices"),
    "payment": _("Payments"),
    "payout": _("Payouts"),
    "stock": _("Stock"),
    "review": _("Reviews"),
}
MAY_VIEW, MAY_CHANGE = "events.view_webhookendpoint", "events.change_webhookendpoint"


class EndpointForm(forms.ModelForm[WebhookEndpoint]):
    url = forms.CharField(
        label=_("URL"),
        max_length=500,
        validators=[check_url],
        widget=forms.TextInput(attrs={"size": 70}),
        help_text=_("Begins with https://. The address of its host must be public."),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(words, [(type, type) for type in EVENT_TYPES if type.startswith(f"{name}.")]) for name, words in SUBJECTS.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What the receiver is told of. Choose no more than it needs."),
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("url", "description", "events", "is_enabled")

    def clean(self) -> dict[str, Any] | None:
        try:
            endpoints.check_number(self.instance)
        except endpoints.TooManyEndpoints as error:
            raise ValidationError(str(error)) from error
        return super().clean()


class PeriodForm(forms.Form):
    since = forms.DateTimeField(label=_("From"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    until = forms.DateTimeField(label=_("Until"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        if "since" in values and "until" in values and values["since"] >= values["until"]:
            self.add_error("until", gettext("Must be after the beginning."))
        return values


@dataclass(frozen=True, kw_only=True)
class EndpointAction:
    label: str | Promise
    question: str | Promise
    run: Callable[[HttpRequest, WebhookEndpoint, Confirmed], HttpResponse | None]
    form: type[forms.Form] = forms.Form


def _send_test(request: HttpRequest, endpoint: WebhookEndpoint, sent: Confirmed) -> None:
    endpoints.send_test(endpoint, at=sent.at)
    messages.success(request, gettext("The test event is sent in a few seconds. The list of deliveries shows what came of it."))


def _rotate(request: HttpRequest, endpoint: WebhookEndpoint, sent: Confirmed) -> HttpResponse:
    return _show_secret(request, endpoint, endpoints.rotate_secret(endpoint, at=sent.at))


def _redeliver(request: HttpRequest, endpoint: WebhookEndpoint, sent: Confirmed) -> None:
    count = endpoints.redeliver(endpoint, since=sent.values["since"], until=sent.values["until"], at=sent.at)
    _tell_count(request, count)


ACTIONS = {
    "test": EndpointAction(
        label=_("Send a test event"), question=_("Send an event that says nothing, to see whether the receiver takes it?"), run=_send_test
    ),
    "rotate": EndpointAction(
        label=_("Rotate the secret"),
        question=_("Make a new secret? For 24 hours the old and the new one both sign, so that the receiver can change in between."),
        run=_rotate,
    ),
    "redeliver": EndpointAction(
        label=_("Redeliver a period"),
        question=_("Send everything of a period again? The receiver recognises by its webhook-id what it has had."),
        run=_redeliver,
        form=PeriodForm,
    ),
}


def act(request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
    """Ask to confirm an action on an endpoint, and run it."""
    action = ACTIONS.get(name)
    if action is None:
        raise Http404(gettext("There is no such action."))
    if not request.user.has_perm(MAY_CHANGE):
        raise PermissionDenied
    endpoint = get_object_or_404(WebhookEndpoint, pk=pk)
    back = reverse("admin:events_webhookendpoint_change", args=[pk])
    page = ConfirmationPage(
        title=str(action.label),
        question=str(action.question),
        button=str(action.label),
        back=back,
        path=[(gettext("Webhook endpoints"), reverse("admin:events_webhookendpoint_changelist")), (endpoint.url, back)],
        form=action.form,
    )
    return confirm(request, lambda: page, lambda sent: action.run(request, endpoint, sent), refusals=())


def _show_secret(request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": gettext("Secret of the webhook"), "endpoint": endpoint, "secret": secret}
    return render(request, "admin/events/webhookendpoint/secret.html", context)


def _tell_count(request: HttpRequest, count: int) -> None:
    words = ngettext("%(count)d delivery is sent again.", "%(count)d deliveries are sent again.", count)
    messages.success(request, words % {"count": count})


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(AtomicModelAdmin[WebhookEndpoint]):
    """The secret is shown once, on the page after the endpoint was made."""

    form = EndpointForm
    list_display = ("url", "description", "is_enabled", "disabled_by", "failures", "failing_since")
    search_fields = ("url", "description")
    readonly_fields = ("disabled_by", "failures", "failing_since", "created_at", "acts")

    class Media:
        css = {"all": ("css/admin_orders.css",)}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Filter by nothing: `?secret__startswith=` would find out a secret letter by letter."""
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [path("<uuid:pk>/act/<slug:name>/", view(act), name="events_webhookendpoint_act"), *super().get_urls()]

    def get_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        if obj is None:
            return EndpointForm.Meta.fields
        shown = (*EndpointForm.Meta.fields, *self.readonly_fields)
        return shown if request.user.has_perm(MAY_CHANGE) else shown[:-1]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Endpoints are deleted one by one."""
        return {}

    @admin.display(description=_("actions"))
    def acts(self, endpoint: WebhookEndpoint) -> SafeString:
        links = [
            (str(action.label), reverse("admin:events_webhookendpoint_act", args=[endpoint.pk, name])) for name, action in ACTIONS.items()
        ]
        deliveries = reverse("admin:events_webhookdelivery_changelist") + f"?endpoint__id__exact={endpoint.pk}"
        return format_html_join("", '<a class="button" href="{1}">{0}</a> ', [*links, (gettext("Deliveries to this endpoint"), deliveries)])

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if change:
            endpoints.change_endpoint(obj)
        else:
            obj.__dict__["shown_once"] = endpoints.add_endpoint(obj)

    def response_add(self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None) -> HttpResponse:
        return _show_secret(request, obj, obj.__dict__["shown_once"])

    def delete_model(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        endpoints.remove_endpoint(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Leave out the deliveries: there may be very many of them, and nobody needs a right of its own for them."""
        return [str(endpoint) for endpoint in objs], {}, set(), []


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(AtomicModelAdmin[WebhookDelivery]):
    list_display = ("type", "endpoint", "status", "attempts", "answer_status", "created_at")
    list_filter = ("status", "endpoint")
    list_select_related = ("endpoint",)
    search_fields = ("type",)
    show_full_result_count = False
    fields = (
        "type", "endpoint", "subject_id", "headers", "request_body", "status", "attempts", "created_at", "tried_at", "next_try_at",
        "answer_status", "answer_body", "error",
    )  # fmt: skip
    readonly_fields = fields
    actions = ["redeliver"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Filter by what the list offers only: `?endpoint__secret__startswith=` would find out a secret letter by letter."""
        return lookup in ("status__exact", "endpoint__id__exact")

    def has_view_permission(self, request: HttpRequest, obj: WebhookDelivery | None = None) -> bool:
        return request.user.has_perm(MAY_VIEW)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: WebhookDelivery | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: WebhookDelivery | None = None) -> bool:
        return False

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_CHANGE)

    @admin.display(description="webhook-id")
    def headers(self, delivery: WebhookDelivery) -> str:
        return delivery.webhook_id

    @admin.display(description=_("body"))
    def request_body(self, delivery: WebhookDelivery) -> SafeString:
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', delivery.body)

    @admin.display(description=_("body of the answer"))
    def answer_body(self, delivery: WebhookDelivery) -> SafeString:
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', delivery.answer)

    @admin.action(description=_("Redeliver"), permissions=["redeliver"])
    def redeliver(self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]) -> None:
        _tell_count(request, endpoints.redeliver_some(deliveries, at=timezone.now()))
