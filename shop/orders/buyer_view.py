"""What buyers see of their order: how it stands in a sentence, and which buttons its page shows. Pure."""

from payments.models import Invoice
from shop.models import Order
from shop.orders.state import CLOSED


def can_requote(order: Order, invoice: Invoice) -> bool:
    """Whether the button is shown; whether it works is decided when it is pressed."""
    return order.status != Order.Status.CANCELLED and invoice.status == Invoice.Status.EXPIRED


def can_have_back(order: Order, invoice: Invoice) -> bool:
    """Whether money is there that the order does not take. What became of it, the page behind the mailed link tells."""
    if not invoice.paid_seen_minor or order.payment_status == Order.PaymentStatus.REFUNDED:
        return False
    return (
        order.status == Order.Status.CANCELLED
        or invoice.status in CLOSED
        or (invoice.status == Invoice.Status.SETTLED and "overpaid" in invoice.flags)
    )


def can_cancel(order: Order) -> bool:
    """Whether the button is shown; whether it works is decided when it is pressed."""
    return order.status == Order.Status.PENDING and order.payment_status in (Order.PaymentStatus.UNPAID, Order.PaymentStatus.EXPIRED)


def state_in_words(order: Order, invoice: Invoice | None) -> tuple[str, str]:
    """(tone, sentence): how the order stands and what the buyer can do."""
    status, payment = Order.Status, Order.PaymentStatus
    if order.payment_status == payment.REFUNDED and order.status not in (status.SHIPPED, status.DELIVERED):
        return "info", f"{'This order is cancelled, and your' if order.status == status.CANCELLED else 'Your'} money was sent back to you."
    if order.status == status.CANCELLED:
        if order.payment_status in (payment.UNPAID, payment.EXPIRED):
            return "info", "This order is cancelled. Nothing has to be paid for it."
        return "warning", "This order is cancelled. Money that came for it goes back to you: a mail from us has a link to say where to."
    if order.status == status.DELIVERED:
        return "success", "Your order was delivered. Thank you."
    if order.status == status.SHIPPED:
        return "success", "Your order has been shipped."
    if order.on_hold and order.status == status.PROCESSING:
        return "warning", "Your payment needs another look before we can ship. You do not have to do anything; we write to you if you do."
    if order.status == status.PROCESSING:
        return "success", "We are preparing your order." if order.payment_status == payment.UNPAID else "Paid. We are preparing your order."
    match order.payment_status:
        case payment.PENDING | payment.CONFIRMING:
            return "info", "We have seen your payment and wait until the network confirms it."
        case payment.UNDERPAID if invoice is not None and invoice.status == Invoice.Status.NEW:
            return "warning", "A part of the price is still to be paid. The payment page says how much, and how long it waits."
        case payment.UNDERPAID:
            return "warning", "A part of the price is still to be paid. You can pay the rest at today's rate, or have your money sent back."
        case payment.LATE:
            return "warning", "Your payment came after the time had run out. You can pay with it at today's rate, or have it sent back."
        case payment.EXPIRED:
            return "warning", "The time to pay ran out. Nothing was charged: you can get a fresh quote for this order."
    return "info", "We are waiting for your payment."
