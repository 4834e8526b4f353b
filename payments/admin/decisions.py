"""The admin's pages on which a person decides about one invoice: what it is about, a reason, one button."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme

from cryptons.db import in_transaction
from payments.alerts import exception_words
from payments.errors import PaymentError
from payments.invoices import manual_review
from payments.models import Invoice

PERMISSION = "payments.change_invoice"
DECIDED = ("settled", "invalid")


class Do(Protocol):
    def __call__(self, invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None: ...


@dataclass(frozen=True)
class Decision:
    name: str
    label: str
    explanation: str
    done: str
    do: Do
    fits: Callable[[Invoice], bool]
    """Whether the button is shown; whether it works is decided when it is pressed."""
    undo: str = ""
    """The name of the decision that takes it back."""
    needs_reason: bool = True


DECISIONS = {
    decision.name: decision
    for decision in (
        Decision(
            "accept",
            "Accept as paid",
            "It counts as paid, whatever the facts say. The order goes on, and the buyer is told by mail that it is paid.",
            "accepted as paid",
            manual_review.accept,
            lambda invoice: invoice.status not in ("settled", "cancelled"),
            undo="take-back",
        ),
        Decision(
            "keep",
            "Keep as it is",
            "It leaves the queue. It comes back when something about it changes.",
            "kept as it is",
            manual_review.keep,
            lambda invoice: invoice.needs_decision,
            undo="put-back",
        ),
        Decision(
            "close",
            "Close as invalid",
            "Nothing is waited for any more. What came, or still comes, is to be sent back.",
            "closed as invalid",
            manual_review.close,
            lambda invoice: invoice.status not in ("invalid", "cancelled"),
            undo="take-back",
        ),
        Decision(
            "put-back",
            "Put back into the queue",
            "It waits for a decision again.",
            "put back into the queue",
            manual_review.put_back,
            lambda invoice: bool(invoice.exceptions) and not invoice.needs_decision,
            needs_reason=False,
        ),
        Decision(
            "take-back",
            "Let the facts decide again",
            "What a person decided is taken back: the money that came decides alone. A mail that was sent stays sent.",
            "decided by the facts again",
            manual_review.take_mark_back,
            lambda invoice: invoice.marked in DECIDED,
        ),
    )
}


class ReasonForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput)
    """Of the invoice, as the person saw it."""
    reason = forms.CharField(
        max_length=200, help_text="Stands in the event log beside your name.", widget=forms.TextInput(attrs={"size": 60, "autofocus": True})
    )

    def __init__(self, *args: Any, needs_reason: bool = True, **named: Any) -> None:
        super().__init__(*args, **named)
        self.fields["reason"].required = needs_reason


def decision_path(invoice_id: UUID, name: str, *, back: str = "") -> str:
    return reverse("admin:payments_invoice_decide", args=[invoice_id, name]) + (f"?next={back}" if back else "")


def decide(request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    decision = DECISIONS.get(name)
    if decision is None:
        raise Http404("There is no such decision.")
    invoice = get_object_or_404(Invoice, pk=pk)
    if request.method != "POST":
        return _ask(request, decision, invoice, ReasonForm(initial={"version": invoice.version}, needs_reason=decision.needs_reason))
    form = ReasonForm(request.POST, needs_reason=decision.needs_reason)
    if not form.is_valid():
        return _ask(request, decision, invoice, form, status=400)
    version, reason, actor = form.cleaned_data["version"], form.cleaned_data["reason"], request.user.get_username()
    try:
        in_transaction(lambda: decision.do(pk, version=version, actor=actor, reason=reason, at=timezone.now()))
    except PaymentError as error:
        now = ReasonForm(initial={"version": invoice.version, "reason": reason}, needs_reason=decision.needs_reason)
        return _ask(request, decision, invoice, now, problem=str(error), status=409)
    _tell(request, decision, invoice)
    return redirect(back_from(request, invoice))


def back_from(request: HttpRequest, invoice: Invoice) -> str:
    """Where the person came from: the queue, or the invoice's own page."""
    wanted = request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return wanted
    return reverse("admin:payments_invoice_change", args=[invoice.pk])


def _tell(request: HttpRequest, decision: Decision, invoice: Invoice) -> None:
    if not decision.undo:
        messages.success(request, f"{invoice.label} is {decision.done}.")
        return
    undo = decision_path(invoice.pk, decision.undo, back=request.GET.get("next", ""))
    messages.success(request, format_html('{} is {}. <a href="{}">Undo</a>', invoice.label, decision.done, undo))


def _ask(
    request: HttpRequest, decision: Decision, invoice: Invoice, form: ReasonForm, *, problem: str = "", status: int = 200
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": decision.label,
        "opts": Invoice._meta,
        "decision": decision,
        "invoice": invoice,
        "payments": invoice.payments.all(),
        "words": exception_words(invoice),
        "form": form,
        "problem": problem,
        "back": back_from(request, invoice),
    }
    return render(request, "payments/decide.html", context, status=status)
