"""Carry out what staff decide about an exception, in the caller's transaction.

A decision needs a name, a reason, and the version of the invoice that the person saw.

A request for the rest of the money is in `payments.invoices.requoting`, a refund in `payments.payouts.workflow`.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from cryptons.audit.writing import audit
from cryptons.db import atomic, update_if_unchanged
from cryptons.events.models import Event, record
from payments.errors import AlertClosed, IllegalOverride, InvoiceMoved, PayoutMoved
from payments.invoices.assessment import assess
from payments.invoices.opening import check_person, override_invoice, read_invoice
from payments.invoices.refundable import NOTHING_WENT, promised
from payments.invoices.settlement import Cause, apply_verdict
from payments.models import Alert, Invoice, Payout
from payments.subject import subject


def mark_paid(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """Override the payments: the invoice counts as paid. Raises IllegalOverride, InvoiceMoved."""
    _check_money_stays(invoice_id)
    override_invoice(invoice_id, "settled", actor=actor, reason=reason, at=at, version=version)


def close(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """Override the payments: the invoice is invalid, and any money received for it must be refunded.

    Raises IllegalOverride, InvoiceMoved.
    """
    override_invoice(invoice_id, "invalid", actor=actor, reason=reason, at=at, version=version)


def clear_override(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """Remove the decision of staff, so that the payments decide again.

    Raises IllegalOverride, InvoiceMoved, and LateMoneyRefused when the invoice would wait for payment of what is sold out.
    """
    check_person(actor, reason)
    invoice = read_invoice(invoice_id, version)
    if invoice.override not in ("settled", "invalid"):
        raise IllegalOverride(_("There is no decision of staff to undo."))
    _check_money_stays(invoice_id)
    if not _has_settled_by_facts(invoice):
        invoice.settled_at = None
    invoice.override = ""
    assessment = assess(invoice, at)
    if assessment.verdict.status == Invoice.Status.NEW:
        subject().reserve_again(invoice)
    apply_verdict(assessment, Cause(actor, {"override": "", "reason": reason}))


def dismiss(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """Take the invoice out of the queue as it is. It comes back when something about it changes. Raises IllegalOverride, InvoiceMoved."""
    check_person(actor, reason)
    invoice = read_invoice(invoice_id, version)
    if not invoice.needs_decision:
        raise IllegalOverride(_("Nothing waits for a decision here."))
    _write(invoice, "invoice.dismissed", actor=actor, reason=reason, needs_decision=False)


def reopen(invoice_id: UUID, *, version: int, actor: str, reason: str, at: datetime) -> None:
    """Put the invoice back into the queue. Raises IllegalOverride, InvoiceMoved."""
    invoice = read_invoice(invoice_id, version)
    if invoice.needs_decision:
        raise IllegalOverride(_("This already waits for a decision."))
    if not invoice.exceptions:
        raise IllegalOverride(_("There is nothing to decide here."))
    _write(invoice, "invoice.reopened", actor=actor, reason=reason, needs_decision=True, exception_at=at)


def follow_payout(payout: Payout, *, at: datetime) -> None:
    """Take the invoice out of the queue when money is sent back, and put it in again when that payout is withdrawn or fails.

    Raises PayoutMoved.
    """
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
    """Close the alert. Raises AlertClosed when somebody else was first."""
    with atomic():
        if closed := Alert.objects.filter(pk=alert_id, closed_at=None).update(closed_at=at, closed_by=actor):
            audit("close", Alert.objects.get(pk=alert_id))
    if not closed:
        raise AlertClosed(_("This was already closed."))


def open_alert(alert_id: UUID) -> None:
    """Open a closed alert again."""
    with atomic():
        if Alert.objects.filter(pk=alert_id).exclude(closed_at=None).update(closed_at=None, closed_by=""):
            audit("reopen", Alert.objects.get(pk=alert_id))


def _check_money_stays(invoice_id: UUID) -> None:
    """Raise IllegalOverride while its money is being refunded: it cannot pay as well. A refund of what was overpaid is no obstacle."""
    if promised(invoice_id).exclude(kind=Payout.Kind.EXCESS).exists():
        raise IllegalOverride(_("This money is being refunded, so it cannot pay as well. Withdraw the payout first, while it is a draft."))


def _has_settled_by_facts(invoice: Invoice) -> bool:
    settled = Event.objects.filter(subject_id=invoice.pk, type="invoice.settled").values_list("data", flat=True)
    return any(not data.get("override") for data in settled)


def _write(invoice: Invoice, event: str, *, actor: str, reason: str, **values: Any) -> None:
    if not update_if_unchanged(invoice, **values):
        raise InvoiceMoved(_("This was changed at the same moment. Please check it again."))
    data = {"status": invoice.status, "flags": sorted(invoice.flags), "exceptions": sorted(invoice.exceptions), "reason": reason}
    record(event, invoice.pk, seq=invoice.version, actor=actor, data=data)
