"""What a person decides about an exception: in their name, with a reason, and only about what they saw. All in the caller's transaction.

Asking for the rest is in `payments.invoices.requoting`, sending money back in `payments.payouts.workflow`.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from cryptons.db import update_if_unchanged
from cryptons.events.models import Event, record
from payments.errors import AlertClosed, IllegalMark, InvoiceMoved, PayoutMoved
from payments.invoices.assessment import assess
from payments.invoices.opening import check_person, mark_invoice, read_invoice
from payments.invoices.refundable import NOTHING_WENT, promised
from payments.invoices.settlement import Cause, apply_verdict
from payments.models import Alert, Invoice, Payout
from payments.subject import subject


def accept(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """As paid, although the facts say otherwise. Raises IllegalMark, InvoiceMoved."""
    _check_money_stays(invoice_id)
    mark_invoice(invoice_id, "settled", actor=actor, reason=reason, at=at, version=version)


def close(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """As invalid: whatever came, or still comes, is to be sent back. Raises IllegalMark, InvoiceMoved."""
    mark_invoice(invoice_id, "invalid", actor=actor, reason=reason, at=at, version=version)


def clear_override(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """The facts decide again. Raises IllegalMark, InvoiceMoved, and LateMoneyRefused when it would wait for money for what is gone."""
    check_person(actor, reason)
    invoice = read_invoice(invoice_id, version)
    if invoice.override not in ("settled", "invalid"):
        raise IllegalMark("Nobody decided against the facts here.")
    _check_money_stays(invoice_id)
    if not _has_settled_by_facts(invoice):
        invoice.settled_at = None
    invoice.override = ""
    assessment = assess(invoice, at)
    if assessment.verdict.status == Invoice.Status.NEW:
        subject().reserve_again(invoice)
    apply_verdict(assessment, Cause(actor, {"override": "", "reason": reason}))


def dismiss(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """As it is: it leaves the queue, and comes back when something about it changes. Raises IllegalMark, InvoiceMoved."""
    check_person(actor, reason)
    invoice = read_invoice(invoice_id, version)
    if not invoice.needs_decision:
        raise IllegalMark("Nothing waits for a decision here.")
    _write(invoice, "invoice.dismissed", actor=actor, reason=reason, needs_decision=False)


def reopen(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """Into the queue. Raises IllegalMark, InvoiceMoved."""
    invoice = read_invoice(invoice_id, version)
    if invoice.needs_decision or not invoice.exceptions:
        raise IllegalMark("It waits for a decision already." if invoice.needs_decision else "There is nothing to decide here.")
    _write(invoice, "invoice.reopened", actor=actor, reason=reason, needs_decision=True, exception_at=at)


def follow_payout(payout: Payout, *, at: datetime) -> None:
    """Who sends money back has decided; who gives that up, or a node that refuses, leaves it to decide again. Raises PayoutMoved."""
    invoice = Invoice.objects.get(pk=payout.invoice_id)
    is_new, is_over = payout.version == 1, payout.status in NOTHING_WENT
    try:
        if is_new and invoice.needs_decision:
            _write(invoice, "invoice.sent_back", actor=payout.created_by, reason=payout.reason, needs_decision=False)
        elif is_over and invoice.exceptions and not invoice.needs_decision:
            _write(invoice, "invoice.reopened", actor="", reason=payout.error, needs_decision=True, exception_at=at)
    except InvoiceMoved as error:
        raise PayoutMoved(str(error)) from error


def close_alert(alert_id: UUID, *, actor: str, at: datetime) -> None:
    """Raises AlertClosed when somebody was first."""
    if not Alert.objects.filter(pk=alert_id, closed_at=None).update(closed_at=at, closed_by=actor):
        raise AlertClosed("Somebody closed this already.")


def open_alert(alert_id: UUID) -> None:
    """Again."""
    Alert.objects.filter(pk=alert_id).update(closed_at=None, closed_by="")


def _check_money_stays(invoice_id: UUID) -> None:
    """What is on its way back cannot pay as well; what was paid too much may go back."""
    if promised(invoice_id).exclude(kind=Payout.Kind.EXCESS).exists():
        raise IllegalMark("Its money is on its way back, so it cannot pay as well. Withdraw the payout first, while it is a draft.")


def _has_settled_by_facts(invoice: Invoice) -> bool:
    settled = Event.objects.filter(subject_id=invoice.pk, type="invoice.settled").values_list("data", flat=True)
    return any(not data.get("override") for data in settled)


def _write(invoice: Invoice, event: str, *, actor: str, reason: str, **values: Any) -> None:
    if not update_if_unchanged(invoice, **values):
        raise InvoiceMoved(f"Invoice {invoice.pk} was changed meanwhile.")
    data = {"status": invoice.status, "flags": sorted(invoice.flags), "exceptions": sorted(invoice.exceptions), "reason": reason}
    record(event, invoice.pk, seq=invoice.version, actor=actor, data=data)
