"""Check that the money of a payout is there and is not needed: at each of its steps, in the same transaction."""

from django.utils.translation import gettext as _

from cryptons.db import update_if_unchanged
from cryptons.formats import coins
from cryptons.money import UNITS
from payments.errors import NotCovered, PayoutMoved
from payments.invoices.refundable import NOT_SENT_YET, STILL_PAYABLE, most_of_kind
from payments.models import Invoice, Payout


def kind_problem(invoice: Invoice, kind: str) -> str:
    """Say why no payout of this kind can be drafted for the invoice; return an empty text if one can."""
    if kind != Payout.Kind.LATE or invoice.status != Invoice.Status.SETTLED:
        return ""
    words = _("%(invoice)s has settled, so its money is no longer late. Refund the excess, or all of it.")
    return words % {"invoice": invoice.order_number}


def cover_problem(payout: Payout, invoice: Invoice) -> str:
    """Say why the payout must not be sent; return an empty text while it may, and when it can no longer be stopped."""
    if payout.status not in (*NOT_SENT_YET, Payout.Status.FAILED):
        return ""
    if invoice.status in STILL_PAYABLE:
        return _(
            "%(invoice)s can be paid again, so what was received counts towards it, and nothing is sent back. Withdraw this payout, or "
            "wait until the invoice is settled, expired or closed."
        ) % {"invoice": invoice.order_number}
    left = most_of_kind(invoice, payout.kind, without=payout).get(payout.network, 0)
    if left >= payout.amount_base:
        return ""
    return _(
        "What this payout sends back is no longer there: of %(amount)s %(coin)s, only %(left)s can be refunded now. Nothing is sent. "
        "Withdraw this payout, or wait until the money is confirmed again."
    ) % {"amount": coins(payout.amount_base, payout.network), "left": coins(left, payout.network), "coin": UNITS[payout.network].coin}


def confirm_cover(payout: Payout) -> None:
    """Check in the caller's transaction that the payout is covered, and let no fact change that before the transaction ends.

    Raises NotCovered; PayoutMoved while facts about its invoice come in.
    """
    invoice = Invoice.objects.get(pk=payout.invoice_id)
    if invoice.needs_settling or not update_if_unchanged(invoice):
        raise PayoutMoved(_("New facts about this payment are being read. Please try again in a few seconds."))
    if problem := cover_problem(payout, invoice):
        raise NotCovered(problem)
