"""An order's life: pending → processing → shipped → delivered, cancelled before it ships; and how it follows its payment."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.dispatch import receiver

from cryptons.db import in_transaction
from cryptons.events.models import record
from payments.errors import InvoiceMoved, LateMoneyRefused, PayoutMoved
from payments.invoices.evaluation import Verdict
from payments.invoices.opening import cancel_invoice
from payments.invoices.refundable import NOTHING_WENT, promised, refundable
from payments.models import Invoice, Payment, Payout
from payments.signals import accepting_late, asking_if_wanted, invoice_changed, payout_changed
from shop.errors import IllegalTransition, OnHold, OrderMoved, OutOfStock
from shop.models import Order
from shop.orders.mails import mail_about_money, mail_money_back, mail_order_shipped, mail_refund_asked, mail_refund_sent, mail_staff_of_hold
from shop.orders.stock import hold_stock, release_stock

T = TypeVar("T")

Status = Order.Status
PaymentStatus = Order.PaymentStatus

NEXT: dict[str, tuple[str, ...]] = {
    Status.PENDING: (Status.PROCESSING, Status.CANCELLED),
    Status.PROCESSING: (Status.SHIPPED, Status.CANCELLED),
    Status.SHIPPED: (Status.DELIVERED,),
    Status.DELIVERED: (),
    Status.CANCELLED: (),
}

PAID = (Invoice.Status.PROCESSING, Invoice.Status.SETTLED)
ALL_WENT_BACK = "All of its money went back: cancel it, unless it shall be sent all the same."
CLOSED = (Invoice.Status.EXPIRED, Invoice.Status.INVALID, Invoice.Status.CANCELLED)


def current_invoice(order: Order) -> Invoice | None:
    return Invoice.objects.filter(subject_id=order.pk).order_by("-created_at").first()


def change_status(order_id: UUID, to: str, *, actor: str, at: datetime, reason: str = "") -> Order:
    """A member of staff takes the order one step on. Raises IllegalTransition, OnHold, OutOfStock, Order.DoesNotExist, OrderMoved."""

    def change() -> Order:
        order = Order.objects.get(pk=order_id)
        if to not in NEXT[order.status]:
            raise IllegalTransition(f"This order is {order.status}: it cannot become {to}.")
        if to == Status.CANCELLED:
            return _cancel(order, actor=actor, reason=reason, at=at)
        if to == Status.SHIPPED:
            _check_may_ship(order)
        if to == Status.PROCESSING:
            hold_stock(order)
        _write(order, f"order.{to}", at=at, actor=actor, reason=reason, status=to)
        if to == Status.SHIPPED:
            mail_order_shipped(order)
        return order

    return _first_or_again(change)


def _check_may_ship(order: Order) -> None:
    if order.on_hold:
        raise OnHold(f"This order is on hold: {order.hold_reason}")
    invoice = current_invoice(order)
    if invoice is None or refundable(invoice.pk):
        return
    if promised(invoice.pk).exclude(kind=Payout.Kind.EXCESS).exclude(status=Payout.Status.SENT).exists():
        raise IllegalTransition("All of its money is on its way back to its buyer: cancel the order, or withdraw the payout first.")


def cancel_own_order(order_id: UUID, *, at: datetime) -> Order:
    """The buyer changes their mind: while it is pending and no money was seen. Raises IllegalTransition, OrderMoved."""

    def cancel() -> Order:
        order = Order.objects.get(pk=order_id)
        if order.status == Status.CANCELLED:
            raise IllegalTransition("This order is cancelled already.")
        if order.status != Status.PENDING:
            raise IllegalTransition(f"This order is {order.status}: it can no longer be cancelled here. Please write to us.")
        if _has_money(order):
            raise IllegalTransition("A payment for this order was already seen, so it can no longer be cancelled here. Please write to us.")
        return _cancel(order, actor="buyer", reason="", at=at)

    return _first_or_again(cancel)


def release_hold(order_id: UUID, *, actor: str, at: datetime) -> Order:
    """Staff looked at what held the order up and it may go on. Raises IllegalTransition, OutOfStock, OrderMoved."""

    def release() -> Order:
        order = Order.objects.get(pk=order_id)
        if not order.on_hold:
            raise IllegalTransition("This order is not on hold.")
        if order.status == Status.PROCESSING:
            invoice = current_invoice(order)
            if invoice is not None and invoice.status != Invoice.Status.SETTLED:
                raise IllegalTransition(
                    f"{order.hold_reason} It is released when the payment settles, or when you accept the invoice as paid."
                )
            hold_stock(order)
        return _write(order, "order.hold_released", at=at, actor=actor, on_hold=False, hold_reason="")

    return _first_or_again(release)


def ask_anew(order: Order, *, network: str, has_part: bool, actor: str, at: datetime) -> None:
    """The order's side of a fresh quote, in its transaction. Raises OrderMoved."""
    status = PaymentStatus.UNDERPAID if has_part else PaymentStatus.UNPAID
    _write(order, "order.requoted", at=at, actor=actor, network=network, payment_status=status)


def _first_or_again(act: Callable[[], T]) -> T:
    """Do it in one transaction; who loses a race looks again."""
    for _ in range(3):
        try:
            return in_transaction(act)
        except (OrderMoved, InvoiceMoved):
            continue
    raise OrderMoved("This order was changed at the same moment. Please look at it again.")


def _write(order: Order, event: str, *, at: datetime, actor: str = "", reason: str = "", **values: Any) -> Order:
    """Write the values if nobody else wrote since the order was read, with the one event that tells it."""
    values |= {"updated_at": at, "version": order.version + 1}
    if not Order.objects.filter(pk=order.pk, version=order.version).update(**values):
        raise OrderMoved(f"Order {order.number} was changed meanwhile.")
    for name, value in values.items():
        setattr(order, name, value)
    record(event, order.pk, seq=order.version, data=state_of(order) | ({"reason": reason} if reason else {}), actor=actor)
    return order


def state_of(order: Order) -> dict[str, Any]:
    """What an event keeps, so that the log replays to the stored order."""
    return {
        "status": str(order.status),
        "paymentStatus": str(order.payment_status),
        "onHold": order.on_hold,
        "holdReason": order.hold_reason,
        "transactionHash": order.transaction_hash,
    }


def _has_money(order: Order) -> bool:
    """Whether anything was received, or a person accepted the order as paid."""
    invoices = Invoice.objects.filter(subject_id=order.pk)
    return invoices.filter(status__in=PAID).exists() or Payment.objects.filter(invoice__in=invoices, is_present=True).exists()


def _cancel(order: Order, *, actor: str, reason: str, at: datetime) -> Order:
    invoice = current_invoice(order)
    values: dict[str, Any] = {"status": Status.CANCELLED}
    has_money = _has_money(order)
    is_owed = has_money and order.payment_status != PaymentStatus.REFUNDED
    if is_owed:
        values |= {"on_hold": True, "hold_reason": "Cancelled after money came: send it back."}
    _write(order, "order.cancelled", at=at, actor=actor, reason=reason, **values)
    release_stock(order)
    if invoice is not None and (invoice.status == Invoice.Status.NEW or (invoice.status == Invoice.Status.EXPIRED and not has_money)):
        cancel_invoice(invoice.pk, actor=actor, reason=reason or "The order was cancelled.", at=at, despite_money=has_money)
        order.refresh_from_db()
    if invoice is not None and is_owed:
        mail_money_back(order, invoice)
    return order


# --- The payment ----------------------------------------------------------------------------------------------------------


@receiver(invoice_changed)
def follow_invoice(sender: Any, invoice: Invoice, verdict: Verdict, at: datetime, **_: Any) -> None:
    """Bring the order in line with its invoice. Runs inside the settling transaction: writes rows, asks nobody.

    Raises InvoiceMoved when somebody changed the order first, so that the whole verdict is tried again.
    """
    order = Order.objects.filter(pk=invoice.subject_id).first()
    if order is None:
        return
    shortage = _follow_with_stock(order, verdict)
    is_refunded = _is_refunded(order, invoice)
    hold_reason = order.hold_reason if is_refunded else _hold_reason(order, invoice, verdict, shortage)
    wanted: dict[str, Any] = {
        "status": Status.PROCESSING if verdict.status == Invoice.Status.SETTLED and order.status == Status.PENDING else order.status,
        "payment_status": PaymentStatus.REFUNDED if is_refunded else payment_status(verdict),
        "hold_reason": hold_reason,
        "on_hold": bool(hold_reason),
        "transaction_hash": _transaction_hash(invoice),
    }
    changes = {name: value for name, value in wanted.items() if getattr(order, name) != value}
    if changes:
        try:
            _write(order, _event(changes), at=at, **changes)
        except OrderMoved as error:
            raise InvoiceMoved(str(error)) from error
    if shortage and "hold_reason" in changes:
        mail_staff_of_hold(order)
    mail_about_money(order, invoice, verdict)


@receiver(payout_changed)
def follow_payout(sender: Any, payout: Payout, at: datetime, **_: Any) -> None:
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
            _write(order, "order.refunded", at=at, **values)
        except OrderMoved as error:
            raise PayoutMoved(str(error)) from error


@receiver(asking_if_wanted)
def is_wanted(sender: Any, invoice: Invoice, **_: Any) -> bool:
    """A cancelled order stays cancelled."""
    return not Order.objects.filter(pk=invoice.subject_id, status=Status.CANCELLED).exists()


@receiver(accepting_late)
def take_stock_again(sender: Any, invoice: Invoice, **_: Any) -> None:
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


def payment_status(verdict: Verdict) -> PaymentStatus:
    """What a verdict means in the shop's words."""
    match verdict.status:
        case Invoice.Status.SETTLED:
            return PaymentStatus.OVERPAID if "over" in verdict.flags else PaymentStatus.PAID
        case Invoice.Status.PROCESSING:
            return PaymentStatus.CONFIRMING if verdict.is_mined else PaymentStatus.PENDING
        case Invoice.Status.NEW:
            return PaymentStatus.UNDERPAID if verdict.paid_seen_minor else PaymentStatus.UNPAID
    if "partial" in verdict.flags:
        return PaymentStatus.UNDERPAID
    if "late" in verdict.flags:
        return PaymentStatus.LATE
    return PaymentStatus.UNPAID if verdict.status == Invoice.Status.CANCELLED else PaymentStatus.EXPIRED


def _follow_with_stock(order: Order, verdict: Verdict) -> str:
    """Give the stock of an order back that nobody pays; take it again when its payment turns up after all. Returns what is short."""
    if order.status == Status.CANCELLED:
        return ""
    if verdict.status in PAID:
        try:
            hold_stock(order)
        except OutOfStock as error:
            return f"Paid, but out of stock. {error}"
    elif verdict.status in CLOSED and order.status == Status.PENDING:
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


def _hold_reason(order: Order, invoice: Invoice, verdict: Verdict, shortage: str) -> str:
    """Why nothing may ship; empty when it may. A settled payment clears every reason but missing stock.

    And but money that went after a person, who may have relied on it, accepted the invoice as paid.
    """
    if order.status == Status.CANCELLED:
        return order.hold_reason or ("Money came for this cancelled order: send it back." if verdict.paid_seen_minor else "")
    if shortage:
        return shortage[:200]
    if verdict.status == Invoice.Status.SETTLED:
        return DOUBLE_SPENT if "double_spent" in verdict.flags and invoice.needs_decision else ""
    if "reorged" in verdict.flags:
        return "The payment lost its place in the chain: wait until it settles again."
    if "double_spent" in verdict.flags:
        return DOUBLE_SPENT
    was_paid = order.payment_status in (PaymentStatus.PENDING, PaymentStatus.CONFIRMING, PaymentStatus.PAID, PaymentStatus.OVERPAID)
    if order.status != Status.PENDING and was_paid and verdict.status not in PAID:
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
