"""What buyers see of their order: how it stands in a sentence, and which buttons its page shows. Pure."""

from django.utils.translation import gettext as _

from payments.models import Invoice
from shop.models import Order
from shop.orders.state import CLOSED


def can_requote(order: Order, invoice: Invoice) -> bool:
    """Tell whether the button is shown; whether it works is decided when it is pressed."""
    return order.status != Order.Status.CANCELLED and invoice.status == Invoice.Status.EXPIRED


def can_request_refund(order: Order, invoice: Invoice) -> bool:
    """Return whether the buyer can request a refund of money that the order does not take. The refund page shows its progress."""
    if not invoice.paid_seen_minor or order.payment_status == Order.PaymentStatus.REFUNDED:
        return False
    return (
        order.status == Order.Status.CANCELLED
        or invoice.status in CLOSED
        or (invoice.status == Invoice.Status.SETTLED and "overpaid" in invoice.flags)
    )


def is_stuck(invoice: Invoice) -> bool:
    """Return whether the invoice waits for a payment that the network did not confirm in time."""
    return invoice.status in (Invoice.Status.NEW, Invoice.Status.EXPIRED) and "slow" in invoice.flags and "late" not in invoice.flags


def can_cancel(order: Order) -> bool:
    """Tell whether the button is shown; whether it works is decided when it is pressed."""
    return order.status == Order.Status.PENDING and order.payment_status in (Order.PaymentStatus.UNPAID, Order.PaymentStatus.EXPIRED)


def state_in_words(order: Order, invoice: Invoice | None) -> tuple[str, str]:
    """Return (tone, sentence): how the order stands, and what the buyer can do."""
    status, payment = Order.Status, Order.PaymentStatus
    if order.payment_status == payment.REFUNDED and order.status not in (status.SHIPPED, status.DELIVERED):
        if order.status == status.CANCELLED:
            return "info", _("This order is cancelled, and your payment was refunded.")
        return "info", _("Your payment was refunded.")
    if order.status == status.CANCELLED:
        if order.payment_status in (payment.UNPAID, payment.EXPIRED):
            return "info", _("This order is cancelled. You do not have to pay anything for it.")
        return "warning", _(
            "This order is cancelled. We are refunding what you paid: use the link in our email to tell us where to send it."
        )
    if order.status == status.DELIVERED:
        return "success", _("Your order was delivered. Thank you.")
    if order.status == status.SHIPPED:
        return "success", _("Your order has been shipped.")
    if order.on_hold and order.status == status.PROCESSING:
        return "warning", _("We need to check your payment before we can ship. You do not have to do anything; we write to you if you do.")
    if order.status == status.PROCESSING:
        if order.payment_status == payment.UNPAID:
            return "success", _("We are preparing your order.")
        return "success", _("Paid. We are preparing your order.")
    return _pending_in_words(order, invoice)


def _pending_in_words(order: Order, invoice: Invoice | None) -> tuple[str, str]:
    payment = Order.PaymentStatus
    if invoice is not None and is_stuck(invoice):
        return "warning", _(
            "We have seen your payment, but the network has not confirmed it, so we no longer reserve the price and the goods. When it "
            "confirms, we check automatically whether we can still accept it."
        )
    match order.payment_status:
        case payment.PENDING | payment.CONFIRMING:
            return "info", _("We have seen your payment and are waiting for the network to confirm it.")
        case payment.UNDERPAID if invoice is not None and invoice.status == Invoice.Status.NEW:
            return "warning", _("Part of the price is still to be paid. The payment page shows how much, and until when.")
        case payment.UNDERPAID:
            return "warning", _("Part of the price is still to be paid. You can pay the rest at today's rate, or request a refund.")
        case payment.LATE:
            return "warning", _("Your payment arrived after the quote had expired. You can use it at today's rate, or request a refund.")
        case payment.EXPIRED:
            return "warning", _("The time to pay has expired. You were not charged, and you can get a new quote for this order.")
    return "info", _("We are waiting for your payment.")
