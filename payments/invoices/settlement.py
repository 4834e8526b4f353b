"""Bring an invoice in line with its payments: decide about late money, then write the verdict and all that follows from it."""

import logging
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from cryptons.db import in_transaction, update_if_unchanged
from cryptons.events.models import record
from payments.alerts import mail_exception
from payments.errors import InvoiceMoved, LateMoneyRefused
from payments.invoices.assessment import Assessment, as_accepted, assess, stored_verdict
from payments.invoices.evaluation import Verdict
from payments.invoices.late_payments import may_accept
from payments.invoices.refundable import NOT_SENT_YET, promised
from payments.invoices.staff_review import review
from payments.jobs import jobs
from payments.models import Invoice, Payment, Payout
from payments.subject import subject

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cause:
    """Who or what changed an invoice, when it was not the facts alone."""

    actor: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What the event tells in addition to the invoice's new state."""
    resolved: frozenset[str] = frozenset()
    """Exceptions about which the acting person decides by this act."""


FACTS = Cause()


def settle(invoice_id: UUID, *, at: datetime) -> Verdict:
    """Bring the stored invoice in line with its payments. Safe to repeat; raises InvoiceMoved when another worker was first."""
    invoice = Invoice.objects.get(pk=invoice_id)
    assessment = assess(invoice, at)
    late = assessment.undecided_late
    taken = [payment for payment in late if may_accept(payment, at=at)] if late and not promised(invoice.pk).exists() else []
    if assessment.completes_with(taken):
        try:
            return in_transaction(lambda: _accept_late(assessment, late, taken))
        except LateMoneyRefused as refusal:
            logger.info("late money waits for a decision", extra={"error": str(refusal)})
            taken = []
    if assessment.is_stored and not late:
        if invoice.needs_settling:
            Invoice.objects.filter(pk=invoice.pk, version=invoice.version).update(needs_settling=False)
        return assessment.verdict

    def write() -> None:
        waiting = _record_waiting([payment for payment in late if payment not in taken])
        apply_verdict(assessment, Cause(data=waiting) if waiting else FACTS)

    in_transaction(write)
    return assessment.verdict


def _accept_late(assessment: Assessment, late: list[Payment], taken: list[Payment]) -> Verdict:
    """Take late money, in the caller's transaction; the rest of it waits.

    Raises LateMoneyRefused when the shop can no longer deliver, InvoiceMoved.
    """
    invoice = copy(assessment.invoice)
    subject().reserve_again(invoice)
    waiting = _record_waiting([payment for payment in late if payment not in taken])
    statuses = {(as_accepted(payment) if payment in taken else payment): status for payment, status in assessment.statuses.items()}
    for payment in statuses:
        if payment in taken:
            Payment.objects.filter(pk=payment.pk).update(late=payment.late)
    accepted = assess(invoice, assessment.at, statuses=statuses)
    apply_verdict(accepted, Cause(data={"acceptedLate": [payment.reference for payment in taken], **waiting}))
    return accepted.verdict


def _record_waiting(payments: list[Payment]) -> dict[str, list[str]]:
    """Leave these payments to the buyer and staff. Returns what the event says about it."""
    for payment in payments:
        Payment.objects.filter(pk=payment.pk).update(late=Payment.Late.WAITING)
    return {"waitingLate": [payment.reference for payment in payments]} if payments else {}


def apply_verdict(assessment: Assessment, cause: Cause = FACTS) -> None:
    """Write verdict, payment statuses, event and everything that follows from them, in the caller's one transaction.

    Raises InvoiceMoved when the invoice's version is no longer the one that was assessed; the caller's transaction then undoes all of it.
    """
    verdict, at = assessment.verdict, assessment.at
    invoice = copy(assessment.invoice)
    was = invoice.status
    reviewed = review(
        verdict,
        before=stored_verdict(invoice),
        known=invoice.exceptions,
        is_waiting=invoice.needs_decision,
        resolved=cause.resolved,
    )
    values: dict[str, Any] = {
        "status": verdict.status,
        "flags": verdict.flags,
        "paid_seen_minor": verdict.paid_seen_minor,
        "paid_safe_minor": verdict.paid_safe_minor,
        "is_mined": verdict.is_mined,
        "override": invoice.override,
        "exceptions": reviewed.exceptions,
        "needs_decision": reviewed.needs_decision,
        "exception_at": (invoice.exception_at if invoice.needs_decision else at) if reviewed.needs_decision else None,
        "expires_at": invoice.expires_at,
        "monitor_until": invoice.monitor_until,
        "settled_at": invoice.settled_at or (at if verdict.status == Invoice.Status.SETTLED else None),
        "needs_settling": False,
    }
    if not update_if_unchanged(invoice, **values):
        raise InvoiceMoved(_("This was changed at the same moment. Please check it again."))
    for payment, status in assessment.moved.items():
        Payment.objects.filter(pk=payment.pk).update(status=status, updated_at=timezone.now())
    _record_event(invoice, assessment, cause, was=was)
    Payout.objects.filter(invoice=invoice.pk, status__in=NOT_SENT_YET).update(next_try_at=at)  # is their money still there?
    if reviewed.is_new_to_staff:
        mail_exception(invoice)
    if invoice.status != Invoice.Status.NEW:
        jobs().close_options(invoice.pk)
    subject().on_invoice(invoice, at=at)


def _record_event(invoice: Invoice, assessment: Assessment, cause: Cause, *, was: str) -> None:
    payments = [
        {"network": payment.network, "reference": payment.reference, "amount": payment.amount_text, "status": status}
        for payment, status in assessment.moved.items()
    ]
    data = {
        "status": invoice.status,
        "flags": sorted(invoice.flags),
        "paidSeenMinor": invoice.paid_seen_minor,
        "paidSafeMinor": invoice.paid_safe_minor,
        "exceptions": sorted(invoice.exceptions) if invoice.needs_decision else [],
        "payments": payments,
    }
    event = f"invoice.{invoice.status}" if invoice.status != was else "invoice.updated"
    record(event, invoice.pk, seq=invoice.version, actor=cause.actor, data={**data, **cause.data})
