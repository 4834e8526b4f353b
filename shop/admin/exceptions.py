"""The exceptions queue: what waits for a person, oldest first, with a button for each thing that they can do."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from payments.admin.decisions import PERMISSION, decision_path
from payments.admin.payouts import MAY_DRAFT, draft_links, draft_path
from payments.errors import PaymentError
from payments.invoices.manual_review import close_alert, open_alert
from payments.invoices.requoting import QuotePreview, preview_quote
from payments.models import Alert, Invoice
from shop.checkout.payment_methods import usable, ways_to_pay
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
    found = read_queue(at=timezone.now())
    may_decide, may_see_orders = request.user.has_perm(PERMISSION), request.user.has_perm("shop.view_order")
    context = {
        **admin.site.each_context(request),
        "title": "Exceptions",
        "queue": found,
        "to_decide": [(case, _acts(case, request.user)) for case in found.to_decide],
        "stuck": [(case, _acts(case, request.user)) for case in found.stuck],
        "held": [(order, _refunds(order, request.user)) for order in found.held] if may_see_orders else [],
        "may_decide": may_decide,
        "may_see_orders": may_see_orders,
    }
    return render(request, "shop/admin/exceptions.html", context)


def _acts(case: Case, user: Any) -> list[tuple[str, str]]:
    """(what the button says, where it leads), of those that this person may press."""
    here, invoice, may_decide = reverse("exceptions:queue"), case.invoice, user.has_perm(PERMISSION)
    acts = []
    if may_decide and case.can_be_accepted:
        acts.append(("Accept as paid", decision_path(invoice.pk, "accept", back=here)))
    if may_decide and case.can_be_asked:
        acts.append(("Ask for the rest", reverse("exceptions:ask", args=[invoice.pk])))
    if case.can_be_sent_back and user.has_perm(MAY_DRAFT):
        kind = "late" if invoice.status != Invoice.Status.SETTLED else "excess" if case.is_wanted else "refund"
        acts.append(("Send it back", draft_path(invoice.pk, kind)))
    if may_decide and invoice.needs_decision:
        acts.append(("Keep as it is", decision_path(invoice.pk, "keep", back=here)))
    return acts


def _refunds(order: Order, user: Any) -> list[tuple[str, str]]:
    """The same of an order that was cancelled after money came."""
    invoice = current_invoice(order) if order.status == Order.Status.CANCELLED else None
    return draft_links(invoice, user) if invoice else []


class AskForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput)
    network = forms.CharField(max_length=10)


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    """Shows what is missing at today's rate; then makes the quote and mails the buyer."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    try:
        case = read_case(invoice_id)
    except Invoice.DoesNotExist:
        raise Http404("There is no such invoice.") from None
    if case.order is None:
        raise Http404("There is no order for it.")
    if request.method != "POST":
        return _show_ask(request, case)
    form = AskForm(request.POST)
    if not form.is_valid():
        return _show_ask(request, case, problem="Please choose a coin.", status=400)
    version, network = form.cleaned_data["version"], form.cleaned_data["network"]
    try:
        order = ask_for_rest(case.order.pk, network, version=version, actor=request.user.get_username(), at=timezone.now())
    except (ShopError, PaymentError) as error:
        return _show_ask(request, case, problem=str(error), status=409)
    is_open = Invoice.objects.filter(pk=invoice_id, status=Invoice.Status.NEW).exists()
    told = f"{order.email} was asked for the rest by mail." if is_open else "What came is enough at today's rate."
    messages.success(request, f"{order.number}: {told}")
    return redirect("exceptions:queue")


def _show_ask(request: HttpRequest, case: Case, *, problem: str = "", status: int = 200) -> HttpResponse:
    preview: QuotePreview | None = None
    try:
        preview = preview_quote(case.invoice.pk, at=timezone.now())
    except PaymentError as error:
        problem = problem or str(error)
    ways = ways_to_pay(preview.remaining_minor) if preview else []
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Ask for the rest",
        "case": case,
        "invoice": case.invoice,
        "payments": case.payments,
        "words": case.words,
        "preview": preview,
        "ways": ways,
        "chosen": usable(ways, case.order.network if case.order else ""),
        "problem": problem,
    }
    return render(request, "shop/admin/exception_ask.html", context, status=status)


@require_POST
def alert_close(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    """One press: it can be opened again."""
    _check_may_decide(request, alert_id)
    try:
        close_alert(alert_id, actor=request.user.get_username(), at=timezone.now())
    except PaymentError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Closed. For a day it stands below, and can be opened again.")
    return redirect("exceptions:queue")


@require_POST
def alert_open(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    _check_may_decide(request, alert_id)
    open_alert(alert_id)
    messages.success(request, "It is back in the queue.")
    return redirect("exceptions:queue")


def _check_may_decide(request: HttpRequest, alert_id: UUID) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if not Alert.objects.filter(pk=alert_id).exists():
        raise Http404("There is no such alert.")


urlpatterns = [
    path("", admin.site.admin_view(queue), name="queue"),
    path("<uuid:invoice_id>/ask/", admin.site.admin_view(ask), name="ask"),
    path("alerts/<uuid:alert_id>/close/", admin.site.admin_view(alert_close), name="alert_close"),
    path("alerts/<uuid:alert_id>/open/", admin.site.admin_view(alert_open), name="alert_open"),
]
