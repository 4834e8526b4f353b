"""What a payment does to its order: the payment status, the hold, the stock, and the mails that follow an invoice's verdict or a payout."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from cryptons.coins import CARD
from cryptons.mail.models import Mail
from payments.errors import InvoiceMoved, LateMoneyRefused, PaymentError, PayoutMoved
from payments.invoices.refundable import NOTHING_WENT, promised, refundable
from payments.invoices.requoting import preview_quote
from payments.models import Invoice, Payment, Payout
from payments.networks.registry import is_play_money
from shop.errors import OrderMoved, OutOfStock, VoucherRefused
from shop.models import Order
from shop.orders.mails import (
    expired_key,
    mail_about_money,
    mail_order_expired,
    mail_refund_asked,
    mail_refund_sent,
    mail_staff_of_hold,
    mail_staff_of_sale,
    received_key,
)
from shop.orders.state import CLOSED, PAID, mark_uncounted, write_order
from shop.orders.stock import hold_stock, release_stock

Status = Order.Status
PaymentStatus = Order.PaymentStatus


def follow_invoice(invoice: Invoice, *, at: datetime) -> None:
    """Bring the order in line with its invoice, inside the settling transaction.

    Raises InvoiceMoved when another process changed the order first, so that the whole verdict is tried again.
    """
    order = Order.objects.filter(pk=invoice.subject_id).first()
    if order is None:
        return
    if is_play_money(invoice) and invoice.status in CLOSED:
        _close_play_order(order, at=at)
        return
    is_refunded = _is_refunded(order, invoice)
    with override(settings.LANGUAGE_CODE):  # the current language is the buyer's, and the reason is for staff
        shortage = _follow_with_stock(order, invoice)
        hold_reason = order.hold_reason if is_refunded else _hold_reason(order, invoice, shortage)
    values: dict[str, Any] = {
        "status": Status.PROCESSING if invoice.status == Invoice.Status.SETTLED and order.status == Status.PENDING else order.status,
        "payment_status": PaymentStatus.REFUNDED if is_refunded else payment_status(invoice),
        "hold_reason": hold_reason,
        "on_hold": bool(hold_reason),
        "transaction_hash": _transaction_hash(invoice),
    }
    changes = {name: value for name, value in values.items() if getattr(order, name) != value}
    if changes:
        try:
            write_order(order, _event(changes), at=at, **changes)
        except OrderMoved as error:
            raise InvoiceMoved(str(error)) from error
    else:
        mark_uncounted(order)
    if shortage and "hold_reason" in changes:
        mail_staff_of_hold(order)
    elif "orders" in settings.STAFF_MAILS and changes.get("status") == Status.PROCESSING:
        mail_staff_of_sale(order)
    mail_about_money(order, invoice)
    if changes.get("payment_status") == PaymentStatus.EXPIRED:
        _offer_new_quote(order, invoice, at=at)


def _offer_new_quote(order: Order, invoice: Invoice, *, at: datetime) -> None:
    """Mail the buyer of an order that nobody paid in time how to pay it after all, if that is possible.

    Anybody can order with somebody else's mail address, so there is none if RATE_LIMIT_ORDER_MAILS held back the mail about the order.
    """
    if invoice.flags or order.status != Status.PENDING:
        return
    if Mail.objects.filter(key=expired_key(order)).exists() or not Mail.objects.filter(key=received_key(order)).exists():
        return
    try:
        preview_quote(invoice.pk, at=at)
    except PaymentError:
        return
    mail_order_expired(order, invoice)


def _close_play_order(order: Order, *, at: datetime) -> None:
    """Cancel an order of the sandbox that did not ship, without a mail: its play money buys nothing, and nothing is refunded."""
    is_over = order.status in (Status.SHIPPED, Status.DELIVERED, Status.CANCELLED)
    values: dict[str, Any] = {"payment_status": PaymentStatus.UNPAID, "on_hold": False, "hold_reason": "", "transaction_hash": ""}
    event = "order.updated" if is_over else "order.cancelled"
    try:
        write_order(order, event, at=at, status=order.status if is_over else Status.CANCELLED, **values)
    except OrderMoved as error:
        raise InvoiceMoved(str(error)) from error
    if order.status == Status.CANCELLED:
        release_stock(order)


def follow_payout(payout: Payout, *, at: datetime) -> None:
    """Mail the buyer, and mark an order as refunded when all of its money was. Runs inside the payout's transaction. Raises PayoutMoved."""
    invoice = Invoice.objects.get(pk=payout.invoice_id)
    order = Order.objects.filter(pk=invoice.subject_id).first()
    if order is None:
        return
    mark_uncounted(order)
    if payout.status == Payout.Status.DRAFT and not payout.destination:
        mail_refund_asked(order, payout)
    if payout.status == Payout.Status.FAILED and order.payment_status == PaymentStatus.REFUNDED and not _is_refunded(order, invoice):
        _undo_refund(order, invoice, at=at)
    if payout.status != Payout.Status.SENT:
        return
    mail_refund_sent(order, payout)
    pending = Payout.objects.filter(invoice=invoice).exclude(status__in=(Payout.Status.SENT, *NOTHING_WENT)).exists()
    is_more_than_excess = promised(invoice.pk).exclude(kind=Payout.Kind.EXCESS).exists()
    if is_more_than_excess and not pending and not refundable(invoice.pk):
        with override(settings.LANGUAGE_CODE):
            words = _("All of its money was refunded. Cancel the order, unless you want to ship it anyway.")
        hold_reason = words if order.status == Status.PROCESSING else ""
        values: dict[str, Any] = {"payment_status": PaymentStatus.REFUNDED, "on_hold": bool(hold_reason), "hold_reason": hold_reason}
        try:
            write_order(order, "order.refunded", at=at, **values)
        except OrderMoved as error:
            raise PayoutMoved(str(error)) from error


def _undo_refund(order: Order, invoice: Invoice, *, at: datetime) -> None:
    """Mark an order as paid again, because the money of its refund came back. Nothing ships until staff decide. Raises PayoutMoved."""
    with override(settings.LANGUAGE_CODE):
        words = _("A refund of this order came back to the shop. Refund it in another way, or release the order to ship it.")
    hold_reason = words if order.status == Status.PROCESSING else ""
    values: dict[str, Any] = {"payment_status": payment_status(invoice), "on_hold": bool(hold_reason), "hold_reason": hold_reason}
    try:
        write_order(order, "order.held" if hold_reason else "order.updated", at=at, **values)
    except OrderMoved as error:
        raise PayoutMoved(str(error)) from error


def is_wanted(invoice: Invoice) -> bool:
    """Tell whether the order still waits for its payment: a cancelled order stays cancelled."""
    return not Order.objects.filter(pk=invoice.subject_id, status=Status.CANCELLED).exists()


def buyer_id(invoice: Invoice) -> UUID | None:
    """Return the account that the order was placed with."""
    return Order.objects.filter(pk=invoice.subject_id).values_list("user_id", flat=True).first()


def take_stock_again(invoice: Invoice) -> None:
    """Reserve the stock for a late payment or a new quote. Raises LateMoneyRefused when the order can no longer be shipped."""
    order = Order.objects.filter(pk=invoice.subject_id).first()
    if order is None:
        return
    if order.status == Status.CANCELLED:
        raise LateMoneyRefused(_("Order %(number)s is cancelled.") % {"number": order.number})
    try:
        hold_stock(order)
    except (OutOfStock, VoucherRefused) as error:
        raise LateMoneyRefused(str(error)) from error


def payment_status(invoice: Invoice) -> PaymentStatus:
    """Return what the invoice's status and flags mean in the shop's words."""
    match invoice.status:
        case Invoice.Status.SETTLED:
            return PaymentStatus.OVERPAID if "overpaid" in invoice.flags else PaymentStatus.PAID
        case Invoice.Status.PROCESSING:
            return PaymentStatus.CONFIRMING if invoice.is_mined else PaymentStatus.PENDING
        case Invoice.Status.NEW if "slow" in invoice.flags and "late" not in invoice.flags:
            return PaymentStatus.PENDING
        case Invoice.Status.NEW:
            return PaymentStatus.UNDERPAID if invoice.paid_seen_minor else PaymentStatus.UNPAID
    if "underpaid" in invoice.flags:
        return PaymentStatus.UNDERPAID
    if "late" in invoice.flags:
        return PaymentStatus.LATE
    if "slow" in invoice.flags:
        return PaymentStatus.PENDING
    return PaymentStatus.UNPAID if invoice.status == Invoice.Status.CANCELLED else PaymentStatus.EXPIRED


def _follow_with_stock(order: Order, invoice: Invoice) -> str:
    """Release the stock of an order that was not paid; reserve it again when the payment arrives after all. Returns what is short."""
    if order.status == Status.CANCELLED:
        return ""
    if invoice.status in PAID:
        try:
            hold_stock(order)
        except OutOfStock as error:
            return f"{_('Paid, but out of stock.')} {error}"
        except VoucherRefused as error:
            return f"{_('Paid, but others have used its voucher. Let more orders use it, or refund this one.')} {error}"
    elif invoice.status in CLOSED and order.status == Status.PENDING:
        release_stock(order)
    return ""


def _is_refunded(order: Order, invoice: Invoice) -> bool:
    """Tell whether a refunded order stays refunded: money that arrives after the refund does not pay it again, staff decide about it."""
    if order.payment_status != PaymentStatus.REFUNDED:
        return False
    back = promised(invoice.pk).exclude(kind=Payout.Kind.EXCESS)
    has_gone = invoice.settled_at is not None and back.filter(created_at__gte=invoice.settled_at).exists()
    return has_gone or not refundable(invoice.pk)


def _hold_reason(order: Order, invoice: Invoice, shortage: str) -> str:
    """Return why the order must not ship; empty when it may.

    A settled payment clears every reason except missing stock, and except a double spend after staff accepted the invoice as paid.
    """
    double_spent = _("The payment was spent elsewhere before it was confirmed (double spend).")
    if order.status == Status.CANCELLED:
        return order.hold_reason or (_("A payment was received for this cancelled order: refund it.") if invoice.paid_seen_minor else "")
    if shortage:
        return shortage[:200]
    if invoice.status == Invoice.Status.SETTLED:
        return double_spent if "double_spent" in invoice.flags and invoice.needs_decision else ""
    if "reorged" in invoice.flags and invoice.paid_safe_minor >= invoice.price_minor:
        return _("Money of this order was refunded, and a payment was taken back after that, so the rest does not pay it.")
    if "reorged" in invoice.flags and order.network == CARD:
        return _("The bank has taken the card payment back. Wait until it settles again.")
    if "reorged" in invoice.flags:
        return _("A chain reorganisation removed the payment's block. Wait until it settles again.")
    if "double_spent" in invoice.flags:
        return double_spent
    was_paid = order.payment_status in (PaymentStatus.PENDING, PaymentStatus.CONFIRMING, PaymentStatus.PAID, PaymentStatus.OVERPAID)
    if order.status != Status.PENDING and was_paid and invoice.status not in PAID:
        return _("The payment is no longer valid.")
    return order.hold_reason


def _transaction_hash(invoice: Invoice) -> str:
    """Return the transaction of the first payment that still counts."""
    payment = Payment.objects.filter(invoice=invoice, is_present=True).order_by("first_seen_at", "id").first()
    return payment.txid if payment else ""


def _event(changes: dict[str, Any]) -> str:
    if changes.get("status") == Status.PROCESSING:
        return "order.paid"
    if changes.get("on_hold"):
        return "order.held"
    if "payment_status" in changes:
        return _PAYMENT_EVENTS[changes["payment_status"]]
    return "order.hold_released" if changes.get("on_hold") is False else "order.updated"


_PAYMENT_EVENTS = {
    PaymentStatus.UNPAID: "order.payment_gone",
    PaymentStatus.PENDING: "order.payment_seen",
    PaymentStatus.CONFIRMING: "order.payment_confirming",
    PaymentStatus.PAID: "order.paid",
    PaymentStatus.OVERPAID: "order.paid",
    PaymentStatus.UNDERPAID: "order.underpaid",
    PaymentStatus.LATE: "order.payment_late",
    PaymentStatus.EXPIRED: "order.payment_expired",
}
