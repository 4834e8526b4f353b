"""What a payment does to its order: the payment status, the hold, the stock, and the mails that follow an invoice's verdict or a payout."""

from datetime import datetime
from typing import Any

from payments.errors import InvoiceMoved, LateMoneyRefused, PayoutMoved
from payments.invoices.refundable import NOTHING_WENT, promised, refundable
from payments.models import Invoice, Payment, Payout
from shop.errors import OrderMoved, OutOfStock
from shop.models import Order
from shop.orders.mails import mail_about_money, mail_refund_asked, mail_refund_sent, mail_staff_of_hold
from shop.orders.state import CLOSED, PAID, write_order
from shop.orders.stock import hold_stock, release_stock

Status = Order.Status
PaymentStatus = Order.PaymentStatus

ALL_WENT_BACK = "All of its money went back: cancel it, unless it shall be sent all the same."


def follow_invoice(invoice: Invoice, *, at: datetime) -> None:
    """Bring the order in line with its invoice. Runs inside the settling transaction: writes rows, asks nobody.

    Raises InvoiceMoved when somebody changed the order first, so that the whole verdict is tried again.
    """
    order = Order.objects.filter(pk=invoice.subject_id).first()
    if order is None:
        return
    shortage = _follow_with_stock(order, invoice)
    is_refunded = _is_refunded(order, invoice)
    hold_reason = order.hold_reason if is_refunded else _hold_reason(order, invoice, shortage)
    wanted: dict[str, Any] = {
        "status": Status.PROCESSING if invoice.status == Invoice.Status.SETTLED and order.status == Status.PENDING else order.status,
        "payment_status": PaymentStatus.REFUNDED if is_refunded else payment_status(invoice),
        "hold_reason": hold_reason,
        "on_hold": bool(hold_reason),
        "transaction_hash": _transaction_hash(invoice),
    }
    changes = {name: value for name, value in wanted.items() if getattr(order, name) != value}
    if changes:
        try:
            write_order(order, _event(changes), at=at, **changes)
        except OrderMoved as error:
            raise InvoiceMoved(str(error)) from error
    if shortage and "hold_reason" in changes:
        mail_staff_of_hold(order)
    mail_about_money(order, invoice)


def follow_payout(payout: Payout, *, at: datetime) -> None:
    """Tell the buyer; an order whose money all went back is refunded. Runs inside the payout's transaction. Raises PayoutMoved."""
    invoice = Invoice.objects.get(pk=payout.invoice_id)
    order = Order.objects.filter(pk=invoice.subject_id).first()
    if order is None:
        return
    if payout.status == Payout.Status.DRAFT and not payout.destination:
        mail_refund_asked(order, payout)
    if payout.status != Payout.Status.SENT:
        return
    mail_refund_sent(order, payout)
    pending = Payout.objects.filter(invoice=invoice).exclude(status__in=(Payout.Status.SENT, *NOTHING_WENT)).exists()
    is_more_than_excess = promised(invoice.pk).exclude(kind=Payout.Kind.EXCESS).exists()
    if is_more_than_excess and not pending and not refundable(invoice.pk):
        hold_reason = ALL_WENT_BACK if order.status == Status.PROCESSING else ""
        values: dict[str, Any] = {"payment_status": PaymentStatus.REFUNDED, "on_hold": bool(hold_reason), "hold_reason": hold_reason}
        try:
            write_order(order, "order.refunded", at=at, **values)
        except OrderMoved as error:
            raise PayoutMoved(str(error)) from error


def is_wanted(invoice: Invoice) -> bool:
    """A cancelled order stays cancelled."""
    return not Order.objects.filter(pk=invoice.subject_id, status=Status.CANCELLED).exists()


def take_stock_again(invoice: Invoice) -> None:
    """Late money is taken, and a fresh quote made, only for what can still be shipped. Raises LateMoneyRefused."""
    order = Order.objects.filter(pk=invoice.subject_id).first()
    if order is None:
        return
    if order.status == Status.CANCELLED:
        raise LateMoneyRefused(f"Order {order.number} is cancelled.")
    try:
        hold_stock(order)
    except OutOfStock as error:
        raise LateMoneyRefused(str(error)) from error


def payment_status(invoice: Invoice) -> PaymentStatus:
    """Return what the invoice's status and flags mean in the shop's words."""
    match invoice.status:
        case Invoice.Status.SETTLED:
            return PaymentStatus.OVERPAID if "overpaid" in invoice.flags else PaymentStatus.PAID
        case Invoice.Status.PROCESSING:
            return PaymentStatus.CONFIRMING if invoice.is_mined else PaymentStatus.PENDING
        case Invoice.Status.NEW:
            return PaymentStatus.UNDERPAID if invoice.paid_seen_minor else PaymentStatus.UNPAID
    if "underpaid" in invoice.flags:
        return PaymentStatus.UNDERPAID
    if "late" in invoice.flags:
        return PaymentStatus.LATE
    return PaymentStatus.UNPAID if invoice.status == Invoice.Status.CANCELLED else PaymentStatus.EXPIRED


def _follow_with_stock(order: Order, invoice: Invoice) -> str:
    """Give the stock of an order back that nobody pays; take it again when its payment turns up after all. Returns what is short."""
    if order.status == Status.CANCELLED:
        return ""
    if invoice.status in PAID:
        try:
            hold_stock(order)
        except OutOfStock as error:
            return f"Paid, but out of stock. {error}"
    elif invoice.status in CLOSED and order.status == Status.PENDING:
        release_stock(order)
    return ""


def _is_refunded(order: Order, invoice: Invoice) -> bool:
    """Still: what comes after the money that paid it went back pays nothing again. It waits for a decision, as too much."""
    if order.payment_status != PaymentStatus.REFUNDED:
        return False
    back = promised(invoice.pk).exclude(kind=Payout.Kind.EXCESS)
    has_gone = invoice.settled_at is not None and back.filter(created_at__gte=invoice.settled_at).exists()
    return has_gone or not refundable(invoice.pk)


DOUBLE_SPENT = "The money was spent elsewhere before it was confirmed (double spend)."


def _hold_reason(order: Order, invoice: Invoice, shortage: str) -> str:
    """Why nothing may ship; empty when it may. A settled payment clears every reason but missing stock.

    And but money that went after a person, who may have relied on it, accepted the invoice as paid.
    """
    if order.status == Status.CANCELLED:
        return order.hold_reason or ("Money came for this cancelled order: send it back." if invoice.paid_seen_minor else "")
    if shortage:
        return shortage[:200]
    if invoice.status == Invoice.Status.SETTLED:
        return DOUBLE_SPENT if "double_spent" in invoice.flags and invoice.needs_decision else ""
    if "reorged" in invoice.flags:
        return "The payment lost its place in the chain: wait until it settles again."
    if "double_spent" in invoice.flags:
        return DOUBLE_SPENT
    was_paid = order.payment_status in (PaymentStatus.PENDING, PaymentStatus.CONFIRMING, PaymentStatus.PAID, PaymentStatus.OVERPAID)
    if order.status != Status.PENDING and was_paid and invoice.status not in PAID:
        return "The payment is gone."
    return order.hold_reason


def _transaction_hash(invoice: Invoice) -> str:
    """Of the first payment that still counts."""
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
