"""Let staff decide about an invoice: accept, dismiss or close it, or undo that. Each decision has a page that asks to confirm."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cryptons.admin_actions import Action, ConfirmationPage, Confirmed, ReasonField, ReasonForm, confirm, permitted_action
from cryptons.db import in_transaction
from cryptons.formats import money, network_amount, short_moment
from payments.admin.base import flag_words
from payments.alerts import exception_words
from payments.errors import PaymentError
from payments.invoices import manual_review
from payments.models import Invoice, Payment

PERMISSION = "payments.change_invoice"
DECIDED = ("settled", "invalid")


class Decide(Protocol):
    def __call__(self, invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None: ...


class DecisionForm(ReasonForm):
    version = forms.IntegerField(widget=forms.HiddenInput)
    """Of the invoice, as the person saw it."""


class OptionalReasonForm(DecisionForm):
    reason = ReasonField(required=False, help_text=_("It is stored in the event log with your name."))


@dataclass(frozen=True, kw_only=True)
class Decision(Action[Invoice]):
    explanation: str | Promise
    done: str | Promise
    """With `%(invoice)s`."""
    undo: str = ""
    """The name of the decision that takes it back."""
    permission: str = PERMISSION
    form: type[forms.Form] = DecisionForm


def _run(decide: Decide) -> Callable[[Invoice, Confirmed], None]:
    def run(invoice: Invoice, sent: Confirmed) -> None:
        values = sent.values
        in_transaction(lambda: decide(invoice.pk, version=values["version"], actor=sent.actor, reason=values["reason"], at=sent.at))

    return run


DECISIONS = {
    decision.name: decision
    for decision in (
        Decision(
            name="accept",
            label=_("Accept as paid"),
            explanation=_(
                "The invoice counts as paid although the payments say otherwise. The order is processed, and the buyer is told by email."
            ),
            done=_("%(invoice)s is accepted as paid."),
            run=_run(manual_review.mark_paid),
            fits=lambda invoice: invoice.status not in ("settled", "cancelled"),
            undo="take-back",
        ),
        Decision(
            name="keep",
            label=_("Dismiss"),
            explanation=_("The invoice leaves the queue. It comes back when something about it changes."),
            done=_("%(invoice)s is dismissed."),
            run=_run(manual_review.dismiss),
            fits=lambda invoice: invoice.needs_decision,
            undo="put-back",
        ),
        Decision(
            name="close",
            label=_("Close as invalid"),
            explanation=_("The shop stops waiting for payments. What was received, or is received later, must be refunded."),
            done=_("%(invoice)s is closed as invalid."),
            run=_run(manual_review.close),
            fits=lambda invoice: invoice.status not in ("invalid", "cancelled"),
            undo="take-back",
        ),
        Decision(
            name="put-back",
            label=_("Put back into the queue"),
            explanation=_("The invoice waits for a decision again."),
            done=_("%(invoice)s is back in the queue."),
            run=_run(manual_review.reopen),
            fits=lambda invoice: bool(invoice.exceptions) and not invoice.needs_decision,
            form=OptionalReasonForm,
        ),
        Decision(
            name="take-back",
            label=_("Undo the decision"),
            explanation=_("The decision of staff is removed, and the payments alone decide. Emails that were sent stay sent."),
            done=_("The payments decide about %(invoice)s again."),
            run=_run(manual_review.clear_override),
            fits=lambda invoice: invoice.override in DECIDED,
        ),
    )
}


def decision_path(invoice_id: UUID, name: str, *, back: str = "") -> str:
    return reverse("admin:payments_invoice_decide", args=[invoice_id, name]) + (f"?next={back}" if back else "")


def decide(request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
    """Ask to confirm a decision about an invoice, and carry it out."""
    decision = permitted_action(request, DECISIONS, name)
    invoice = get_object_or_404(Invoice, pk=pk)

    def run(sent: Confirmed) -> None:
        decision.run(invoice, sent)
        _report(request, decision, invoice)

    return confirm(request, lambda: _describe(request, decision, Invoice.objects.get(pk=pk)), run, refusals=(PaymentError,))


def back_from(request: HttpRequest, invoice: Invoice) -> str:
    """Return where the person came from: the queue, or the invoice's own page."""
    address = request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(address, allowed_hosts=None):
        return address
    return reverse("admin:payments_invoice_change", args=[invoice.pk])


def _report(request: HttpRequest, decision: Decision, invoice: Invoice) -> None:
    done = str(decision.done) % {"invoice": invoice.order_number}
    if not decision.undo:
        messages.success(request, done)
        return
    undo = decision_path(invoice.pk, decision.undo, back=request.GET.get("next", ""))
    messages.success(request, format_html('{} <a href="{}">{}</a>', done, undo, gettext("Undo")))


def _describe(request: HttpRequest, decision: Decision, invoice: Invoice) -> ConfirmationPage:
    return ConfirmationPage(
        title=str(decision.label),
        question=str(decision.explanation),
        button=str(decision.label),
        back=back_from(request, invoice),
        path=[
            (gettext("Invoices"), reverse("admin:payments_invoice_changelist")),
            (invoice.order_number, reverse("admin:payments_invoice_change", args=[invoice.pk])),
        ],
        facts=invoice_facts(invoice, exception_words(invoice)),
        form=decision.form,
        initial={"version": invoice.version},
    )


def invoice_facts(invoice: Invoice, problem: str) -> list[tuple[str, list[str]]]:
    """Say what staff must know of an invoice before they decide; `problem` is why it waits for them."""
    flags = f" ({flag_words(invoice.flags)})" if invoice.flags else ""
    payments = [_payment_words(payment) for payment in invoice.payments.all()]
    return [
        (gettext("Invoice"), [f"{invoice.order_number}: {invoice.get_status_display()}{flags}"]),
        (gettext("Why it waits"), [problem]),
        (gettext("Price"), [money(invoice.price_minor, invoice.currency)]),
        (gettext("Received"), [money(invoice.paid_seen_minor, invoice.currency), *payments]),
    ]


def _payment_words(payment: Payment) -> str:
    words = {
        "amount": network_amount(payment.amount_base, payment.network),
        "status": payment.get_status_display(),
        "time": short_moment(payment.first_seen_at),
        "decision": payment.get_late_display(),
    }
    if payment.status == Payment.Status.SEEN:
        words["status"] = gettext("%(status)s, not confirmed yet") % words
    if payment.late:
        return gettext("%(amount)s, %(status)s, late (%(decision)s), first seen %(time)s") % words
    return gettext("%(amount)s, %(status)s, first seen %(time)s") % words
