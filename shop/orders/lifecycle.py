"""Status changes that people make: pending → processing → shipped → delivered, cancelled before it ships, released from a hold.

What a payment does to an order is in `shop.orders.payment`.
"""

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.verification import gate
from payments.invoices.opening import MONITOR, PLAY_MONEY, cancel_invoice
from payments.invoices.refundable import promised, refundable
from payments.models import Invoice, Payment, Payout
from payments.networks.registry import is_play_money
from shop.errors import IllegalTransition, OnHold, OrderMoved, ReasonNeeded
from shop.models import Order
from shop.orders.mails import mail_order_cancelled, mail_order_shipped, mail_refund_needed
from shop.orders.state import CLOSED, PAID, current_invoice, retry_conflicts, write_order
from shop.orders.stock import hold_stock, release_stock

Status = Order.Status
PaymentStatus = Order.PaymentStatus

MOST_ABANDONED = 1000
"""Orders that one sweep cancels; the next one takes the rest."""

NEXT: dict[str, tuple[str, ...]] = {
    Status.PENDING: (Status.PROCESSING, Status.CANCELLED),
    Status.PROCESSING: (Status.SHIPPED, Status.CANCELLED),
    Status.SHIPPED: (Status.DELIVERED,),
    Status.DELIVERED: (),
    Status.CANCELLED: (),
}


MOVED_ON = (Status.PROCESSING, Status.SHIPPED, Status.DELIVERED)


def needs_reason(order: Order, to: str) -> bool:
    """Return whether staff must say why they move the order on to `to`: it is not safely paid, or on hold, and may go there."""
    if to == Status.SHIPPED and order.on_hold:
        return False
    return to in MOVED_ON and (order.on_hold or order.payment_status not in (PaymentStatus.PAID, PaymentStatus.OVERPAID))


def change_status(order_id: UUID, to: str, *, actor: str, at: datetime, reason: str = "", note: str = "") -> Order:
    """Change an order's status for a member of staff.

    `reason` is stored in the history; the buyer is told that of a cancellation. `note` is for staff only.
    Raises IllegalTransition (ReasonNeeded, OnHold among them), OutOfStock, Order.DoesNotExist, OrderMoved.
    """

    def change() -> Order:
        order = Order.objects.get(pk=order_id)
        if to not in NEXT[order.status]:
            labels = dict(Status.choices)
            message = _("The status cannot change from %(old)s to %(new)s.")
            raise IllegalTransition(message % {"old": labels[order.status], "new": labels.get(to, to)})
        if to == Status.CANCELLED:
            return _cancel_for_staff(order, actor=actor, reason=reason, note=note, at=at)
        if to == Status.SHIPPED:
            _check_may_ship(order)
        if needs_reason(order, to) and not reason.strip():
            raise ReasonNeeded(
                _("Order %(number)s is not safely paid (%(payment)s). Give a reason to move it on all the same.")
                % {"number": order.number, "payment": order.hold_reason or order.get_payment_status_display()}
            )
        if to == Status.PROCESSING:
            hold_stock(order)
        write_order(order, f"order.{to}", at=at, actor=actor, reason=reason, note=note, status=to)
        if to == Status.SHIPPED:
            mail_order_shipped(order)
        return order

    return retry_conflicts(change)


def _cancel_for_staff(order: Order, *, actor: str, reason: str, note: str, at: datetime) -> Order:
    is_paid = _has_money(order) and order.payment_status != PaymentStatus.REFUNDED
    cancelled = _cancel(order, actor=actor, reason=reason, note=note, at=at)
    mail_order_cancelled(cancelled, reason=reason, is_paid=is_paid)
    return cancelled


def _check_may_ship(order: Order) -> None:
    if order.on_hold:
        raise OnHold(_("This order is on hold: %(reason)s") % {"reason": order.hold_reason})
    invoice = current_invoice(order)
    if invoice is not None and is_play_money(invoice):
        raise IllegalTransition(str(PLAY_MONEY))
    if invoice is None or refundable(invoice.pk):
        return
    if promised(invoice.pk).exclude(kind=Payout.Kind.EXCESS).exclude(status=Payout.Status.SENT).exists():
        raise IllegalTransition(_("All of its money is being refunded: cancel the order, or withdraw the payout first."))


def cancel_own_order(order_id: UUID, *, at: datetime) -> Order:
    """Cancel an order for its buyer, while it is pending and no payment was seen. Raises IllegalTransition, OrderMoved."""

    def cancel() -> Order:
        order = Order.objects.get(pk=order_id)
        if order.status == Status.CANCELLED:
            raise IllegalTransition(_("This order is already cancelled."))
        if order.status != Status.PENDING:
            message = _("This order can no longer be cancelled here, because its status is %(status)s. Please contact us.")
            raise IllegalTransition(message % {"status": order.get_status_display()})
        if _has_money(order):
            raise IllegalTransition(
                _("We have already seen a payment for this order, so it can no longer be cancelled here. Please contact us.")
            )
        return _cancel(order, actor="buyer", reason="", at=at)

    return retry_conflicts(cancel)


def cancel_abandoned_orders(*, at: datetime) -> int:
    """Cancel the pending orders that nobody paid while their invoice was watched. Returns how many.

    Money that comes later is recorded all the same, and its buyer is asked where to send it back.
    """
    unpaid = Order.objects.filter(status=Status.PENDING, payment_status__in=(PaymentStatus.UNPAID, PaymentStatus.EXPIRED))
    old = unpaid.filter(created_at__lte=at - MONITOR).order_by("created_at")
    return sum(_cancel_abandoned(order_id, at=at) for order_id in list(old.values_list("pk", flat=True)[:MOST_ABANDONED]))


def _cancel_abandoned(order_id: UUID, *, at: datetime) -> bool:
    def cancel() -> bool:
        order = Order.objects.get(pk=order_id)
        invoice = current_invoice(order)
        is_watched = invoice is not None and (invoice.status not in CLOSED or invoice.monitor_until > at)
        if order.status != Status.PENDING or is_watched or _has_money(order):
            return False
        with override(settings.LANGUAGE_CODE):
            reason = _("It was not paid in time.")
        _cancel(order, actor="", reason=reason, at=at)
        return True

    with suppress(OrderMoved):
        return retry_conflicts(cancel)
    return False


def release_hold(order_id: UUID, *, actor: str, at: datetime) -> Order:
    """Release the hold, because staff have checked its reason. Raises IllegalTransition, OutOfStock, OrderMoved."""

    def release() -> Order:
        order = Order.objects.get(pk=order_id)
        if not order.on_hold:
            raise IllegalTransition(_("This order is not on hold."))
        if order.status == Status.PROCESSING:
            invoice = current_invoice(order)
            if invoice is not None and invoice.status != Invoice.Status.SETTLED:
                way_out = _("The hold is released when the payment settles, or when you accept the invoice as paid.")
                raise IllegalTransition(f"{order.hold_reason} {way_out}")
            hold_stock(order)
        return write_order(order, "order.hold_released", at=at, actor=actor, on_hold=False, hold_reason="")

    return retry_conflicts(release)


def apply_new_quote(order: Order, *, network: str, has_part: bool, actor: str, at: datetime) -> None:
    """Update the order for a new quote, in the quote's transaction. Raises OrderMoved."""
    status = PaymentStatus.UNDERPAID if has_part else PaymentStatus.UNPAID
    write_order(order, "order.requoted", at=at, actor=actor, network=network, payment_status=status)


def _has_money(order: Order) -> bool:
    """Tell whether a payment was received, or a member of staff accepted the order as paid."""
    invoices = Invoice.objects.filter(subject_id=order.pk)
    return invoices.filter(status__in=PAID).exists() or Payment.objects.filter(invoice__in=invoices, is_present=True).exists()


def _order_was_cancelled() -> str:
    with override(settings.LANGUAGE_CODE):
        return _("The order was cancelled.")


def _cancel(order: Order, *, actor: str, reason: str, note: str = "", at: datetime) -> Order:
    invoice = current_invoice(order)
    values: dict[str, Any] = {"status": Status.CANCELLED, "on_hold": False, "hold_reason": ""}
    has_money = _has_money(order)
    is_owed = has_money and order.payment_status != PaymentStatus.REFUNDED
    if is_owed:
        with override(settings.LANGUAGE_CODE):
            values |= {"on_hold": True, "hold_reason": _("Cancelled after a payment was received: refund it.")}
    write_order(order, "order.cancelled", at=at, actor=actor, reason=reason, note=note, **values)
    release_stock(order)
    if not has_money:
        gate.release(order.pk)
    if invoice is not None and (invoice.status == Invoice.Status.NEW or (invoice.status == Invoice.Status.EXPIRED and not has_money)):
        cancel_invoice(invoice.pk, actor=actor, reason=reason or _order_was_cancelled(), at=at, despite_money=has_money)
        order.refresh_from_db()
    if invoice is not None and is_owed:
        mail_refund_needed(order, invoice)
    return order
