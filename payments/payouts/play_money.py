"""Close what the sandbox left behind once the shop takes real money, so that play money is never shipped against, refunded or counted."""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from cryptons.db import in_transaction, retry_when
from payments.alerts import alert
from payments.errors import InvoiceMoved, PayoutMoved
from payments.invoices.assessment import assess
from payments.invoices.refundable import promised
from payments.invoices.settlement import Cause, apply_verdict
from payments.models import Invoice, Payment, Payout
from payments.networks.registry import is_sandbox
from payments.payouts.workflow import move_payout

ACTOR = "sandbox"
MOST = 1000
"""Invoices of one run; the next one takes the rest."""


def close_sandbox(*, at: datetime) -> int:
    """Close all invoices of the sandbox if it is off, and alert staff. Safe to repeat. Returns how many were closed."""
    if is_sandbox():
        return 0
    ids = list(Invoice.objects.of_sandbox().order_by("id").values_list("pk", flat=True)[:MOST])
    closed = sum(_close(invoice_id, at=at) for invoice_id in ids)
    if closed:
        in_transaction(lambda: _alert(closed, at=at))
    return closed


def _alert(closed: int, *, at: datetime) -> None:
    with override(settings.LANGUAGE_CODE):
        text = ngettext(
            "The sandbox is off, so its %(count)d invoice was closed: what was paid for it was play money. Its order was cancelled unless "
            "it had shipped. There is nothing to do.",
            "The sandbox is off, so its %(count)d invoices were closed: what was paid for them was play money. Their orders were cancelled "
            "unless they had shipped. There is nothing to do.",
            closed,
        ) % {"count": closed}
    alert(f"sandbox closed {at.isoformat()}", text, at=at)


def _close(invoice_id: UUID, *, at: datetime) -> bool:
    return retry_when((InvoiceMoved, PayoutMoved), lambda: in_transaction(partial(_write, invoice_id, at=at)), failure=InvoiceMoved())


def _write(invoice_id: UUID, *, at: datetime) -> bool:
    """Call its payments gone, because no node knows them, and withdraw its payouts. Returns False when another process was first."""
    if not Invoice.objects.of_sandbox().filter(pk=invoice_id).update(sandbox_closed_at=at):
        return False
    with override(settings.LANGUAGE_CODE):
        reason = _("The sandbox was turned off: what was paid is play money.")
    Payment.objects.filter(invoice=invoice_id).update(is_present=False, is_final=True, held_until=None)
    invoice = Invoice.objects.get(pk=invoice_id)
    if invoice.override != Invoice.Status.CANCELLED:
        invoice.override = Invoice.Status.INVALID
    apply_verdict(assess(invoice, at), Cause(ACTOR, {"override": str(invoice.override), "reason": reason}))
    for payout in promised(invoice_id):
        move_payout(payout, Payout.Status.WITHDRAWN, at=at, error=reason, next_try_at=None, psbt="")
    return True
