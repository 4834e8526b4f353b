"""Check that the money of a payout is there and is not needed: at each of its steps, in the same transaction."""

from uuid import UUID

from django.utils.translation import gettext as _

from cryptons.coins import CARD
from cryptons.db import update_if_unchanged
from cryptons.formats import coins
from cryptons.money import UNITS, Base
from payments.errors import NotCovered, PayoutMoved, PayoutRefused
from payments.invoices.refundable import NOT_SENT_YET, STILL_PAYABLE, most_of_kind, promised
from payments.models import Invoice, Payment, Payout


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
    ) % {"amount": coins(payout.amount_base, payout.network), "left": coins(left, payout.network), "coin": UNITS[payout.network].symbol}


def card_payment(invoice_id: UUID, amount: int, named: str = "") -> str:
    """Return the reference of the card payment that a refund of this amount sends back: the one that is named, else the newest that can.

    Raises PayoutRefused: one refund cannot send back more than is left of one payment.
    """
    left = left_of_card_payments(invoice_id)
    fits = [reference for reference, base in left.items() if base >= amount and named in ("", reference)]
    if not fits:
        most = coins(max(left.values(), default=0), CARD)
        raise PayoutRefused(_("One refund to a card can send back at most %(most)s of this order.") % {"most": most})
    return fits[-1]


def left_of_card_payments(invoice_id: UUID) -> dict[str, int]:
    """Return {reference: cents} of the card payments that can be refunded, the oldest first, less what payouts send back of each."""
    paid = Payment.objects.filter(invoice=invoice_id, network=CARD, status=Payment.Status.SETTLED, is_present=True)
    left = dict(paid.order_by("first_seen_at").values_list("reference", "amount_base"))
    for reference, promised_base in promised(invoice_id).filter(network=CARD).values_list("destination", "amount_base"):
        if reference in left:
            left[reference] -= promised_base
    return left


def most_of_one_payout(invoice: Invoice, kind: str) -> dict[str, Base]:
    """Return {network: the most that one payout of this kind may be}: to cards no more than what is left of one payment."""
    most = most_of_kind(invoice, kind)
    if CARD in most:
        most[CARD] = Base(min(most[CARD], max(left_of_card_payments(invoice.pk).values(), default=0)))
    return {network: amount for network, amount in most.items() if amount > UNITS[network].dust_base}


def confirm_cover(payout: Payout) -> None:
    """Check in the caller's transaction that the payout is covered, and let no fact change that before the transaction ends.

    Raises NotCovered; PayoutMoved while facts about its invoice come in.
    """
    invoice = Invoice.objects.get(pk=payout.invoice_id)
    if invoice.needs_settling or not update_if_unchanged(invoice):
        raise PayoutMoved(_("New facts about this payment are being read. Please try again in a few seconds."))
    if problem := cover_problem(payout, invoice):
        raise NotCovered(problem)
