"""The exceptions queue: what waits for staff, oldest first, with a button for each action that they can take."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.verification.errors import NotAdmitted
from cryptons.admin_actions import ConfirmationPage, Confirmed, confirm
from cryptons.formats import money, plain_decimal
from payments.admin.decisions import DECISIONS, PERMISSION, decision_path, invoice_facts
from payments.admin.payout_actions import DRAFTS, MAY_DRAFT, draft_links, draft_path
from payments.errors import PaymentError
from payments.invoices.manual_review import close_alert, open_alert
from payments.invoices.requoting import preview_quote
from payments.models import Alert, Invoice
from shop.checkout.payment_methods import Way, usable, ways_to_pay
from shop.checkout.requoting import ask_for_rest
from shop.errors import ShopError
from shop.models import Order
from shop.orders.exceptions_queue import Case, read_case, read_queue
from shop.orders.state import current_invoice

app_name = "exceptions"


@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("payments.view_invoice"):
        raise PermissionDenied
    queue = read_queue(at=timezone.now())
    may_decide, may_see_orders = request.user.has_perm(PERMISSION), request.user.has_perm("shop.view_order")
    context = {
        **admin.site.each_context(request),
        "title": gettext("Exceptions"),
        "queue": queue,
        "to_decide": [(case, _acts(case, request.user)) for case in queue.to_decide],
        "stuck": [(case, _acts(case, request.user)) for case in queue.stuck],
        "held": [(order, _refunds(order, request.user)) for order in queue.held] if may_see_orders else [],
        "may_decide": may_decide,
        "may_see_orders": may_see_orders,
    }
    return render(request, "shop/admin/exceptions.html", context)


def _acts(case: Case, user: Any) -> list[tuple[str, str]]:
    """Return label and address of each button that this person may press."""
    here, invoice, may_decide = reverse("exceptions:queue"), case.invoice, user.has_perm(PERMISSION)
    acts = []
    if may_decide and case.can_be_accepted:
        acts.append((str(DECISIONS["accept"].label), decision_path(invoice.pk, "accept", back=here)))
    if may_decide and case.can_be_asked:
        acts.append((_ask_words(case), reverse("exceptions:ask", args=[invoice.pk])))
    if case.can_be_sent_back and user.has_perm(MAY_DRAFT):
        kind = "late" if invoice.status != Invoice.Status.SETTLED else "excess" if case.is_wanted else "refund"
        acts.append((str(DRAFTS[kind]), draft_path(invoice.pk, kind)))
    if may_decide and case.can_be_closed:
        acts.append((str(DECISIONS["close"].label), decision_path(invoice.pk, "close", back=here)))
    if case.order and case.can_be_cancelled and user.has_perm("shop.change_order"):
        acts.append((gettext("Cancel the order"), reverse("admin:shop_order_act", args=[case.order.pk, "cancel"])))
    if may_decide and invoice.needs_decision:
        acts.append((str(DECISIONS["keep"].label), decision_path(invoice.pk, "keep", back=here)))
    return acts


def _ask_words(case: Case) -> str:
    return gettext("Ask for the rest") if case.invoice.paid_seen_minor else gettext("Ask for a new payment")


def _refunds(order: Order, user: Any) -> list[tuple[str, str]]:
    """Return the refund buttons of an order that was cancelled after it was paid."""
    invoice = current_invoice(order) if order.status == Order.Status.CANCELLED else None
    return draft_links(invoice, user) if invoice else []


class AskForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput)
    """Of the invoice, as the person saw it."""
    network = forms.CharField(max_length=10, widget=forms.HiddenInput)


class CoinSelect(forms.Select):
    """The coins in which the buyer can be asked to pay; one that is out of order is shown and cannot be chosen."""

    def __init__(self, ways: Sequence[Way]) -> None:
        super().__init__(choices=[(way.state.code, _way_words(way)) for way in ways])
        self.out_of_order = {way.state.code for way in ways if way.state.problem}

    def create_option(self, name: str, value: Any, *args: Any, **more: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **more)
        if value in self.out_of_order:
            option["attrs"]["disabled"] = True
        return option


def _way_words(way: Way) -> str:
    if not way.about:
        return way.state.name
    return gettext("%(network)s, about %(amount)s %(coin)s") % {"network": way.state.name, "amount": way.about, "coin": way.coin}


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    """Show what is missing at today's rate; then make the quote and email the buyer."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    try:
        order = read_case(invoice_id).order
    except Invoice.DoesNotExist:
        raise Http404(gettext("There is no such invoice.")) from None
    if order is None:
        raise Http404(gettext("There is no order for this invoice."))

    def run(sent: Confirmed) -> None:
        version, network = sent.values["version"], sent.values["network"]
        asked = ask_for_rest(order.pk, network, version=version, actor=sent.actor, at=sent.at)
        if Invoice.objects.filter(pk=invoice_id, status=Invoice.Status.NEW).exists():
            done = gettext("%(order)s: %(email)s was asked for the payment by email.")
        else:
            done = gettext("%(order)s: What was received is enough at today's rate.")
        messages.success(request, done % {"order": asked.number, "email": asked.email})

    return confirm(request, lambda: _describe_ask(read_case(invoice_id)), run, refusals=(ShopError, PaymentError, NotAdmitted))


def _describe_ask(case: Case) -> ConfirmationPage:
    invoice, order = case.invoice, case.order
    page = ConfirmationPage(
        title=_ask_words(case),
        question="",
        back=reverse("exceptions:queue"),
        path=[(gettext("Exceptions"), reverse("exceptions:queue"))],
        facts=invoice_facts(invoice, case.words),
        form=AskForm,
        initial={"version": invoice.version, "network": order.network if order else ""},
    )
    try:
        preview = preview_quote(invoice.pk, at=timezone.now())
    except PaymentError as error:
        return replace(page, problem=str(error))
    late = [
        gettext("%(amount)s was received late. It is credited at today's rate: %(value)s.")
        % {"amount": plain_decimal(payment.amount_text), "value": money(payment.whole_minor, invoice.currency)}
        for payment in preview.late
    ]
    if preview.is_enough:
        enough = gettext("That is enough: the order is processed at once, and the buyer is told by email when it is paid.")
        return replace(page, question="\n\n".join([*late, enough]), button=gettext("Accept at today's rate"))
    rest = gettext(
        "%(email)s gets an email with a link to pay %(amount)s or to request a refund. The items are reserved until the quote expires."
    ) % {"email": order.email if order else "", "amount": money(preview.remaining_minor, invoice.currency)}
    ways = ways_to_pay(preview.remaining_minor)

    def form(*args: Any, **options: Any) -> AskForm:
        asking = AskForm(*args, **options)
        asking.fields["network"].widget = CoinSelect(ways)
        asking.fields["network"].label = gettext("Coin")
        return asking

    initial = {**page.initial, "network": usable(ways, order.network if order else "")}
    return replace(page, question="\n\n".join([*late, rest]), button=page.title, form=form, initial=initial)


@require_POST
def alert_close(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    """Close an alert without a page that asks to confirm: it can be opened again."""
    _check_may_decide(request, alert_id)
    try:
        close_alert(alert_id, actor=request.user.get_username(), at=timezone.now())
    except PaymentError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, gettext("The alert is closed. It is listed below for a day and can be opened again."))
    return redirect("exceptions:queue")


@require_POST
def alert_open(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    _check_may_decide(request, alert_id)
    open_alert(alert_id)
    messages.success(request, gettext("The alert is back in the queue."))
    return redirect("exceptions:queue")


def _check_may_decide(request: HttpRequest, alert_id: UUID) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if not Alert.objects.filter(pk=alert_id).exists():
        raise Http404(gettext("There is no such alert."))


urlpatterns = [
    path("", admin.site.admin_view(queue), name="queue"),
    path("<uuid:invoice_id>/ask/", admin.site.admin_view(ask), name="ask"),
    path("alerts/<uuid:alert_id>/close/", admin.site.admin_view(alert_close), name="alert_close"),
    path("alerts/<uuid:alert_id>/open/", admin.site.admin_view(alert_open), name="alert_open"),
]
