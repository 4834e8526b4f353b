"""Make a new quote for an unpaid order, in another coin or at today's rate. Its stock is reserved again, or the buyer sees what is gone."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _

from accounts.verification.gate import Admission, admit
from cryptons.db import in_transaction, retry_when
from cryptons.formats import clock
from payments.errors import InvoiceMoved, QuoteRefused
from payments.invoices.opening import read_invoice
from payments.invoices.requoting import Quote, count_quotes, prepare_quote, requote
from payments.models import Invoice
from shop.checkout.unpaid_limits import NOBODY, Slots, Visitor, find_slots
from shop.errors import IllegalTransition, OrderMoved
from shop.models import Order, OrderLine
from shop.orders.lifecycle import apply_new_quote
from shop.orders.mails import mail_rest
from shop.orders.state import current_invoice
from shop.orders.stock import hold_stock

BUYER = "buyer"
KEEPING_QUOTES = 2
"""New quotes that reserve the stock for longer. After these the quote must expire, so that others can buy it, and take the stock again."""


def ask_for_rest(order_id: UUID, network: str = "", *, version: int, actor: str, at: datetime) -> Order:
    """Make the quote for the buyer and mail how to pay it, for staff. `version` is the invoice's, as staff saw it.

    Raises InvoiceMoved when it has changed since, and what requote_order raises.
    """
    invoice = current_invoice(_open_order(order_id))
    if invoice is None or read_invoice(invoice.pk, version).status != Invoice.Status.EXPIRED:
        raise IllegalTransition(_("This invoice is still open: its quote has not expired yet."))
    return requote_order(order_id, network, at=at, actor=actor)


def requote_order(order_id: UUID, network: str = "", *, at: datetime, actor: str = BUYER, visitor: Visitor = NOBODY) -> Order:
    """Make a new quote in the given network, else in the order's own. Asks the node first; then writes everything, or nothing.

    Raises IllegalTransition, OutOfStock, TooManyUnpaid, TooManyUnits, OrderMoved, Order.DoesNotExist, NotAdmitted's children, and what
    payments.invoices.requoting.prepare_quote raises.
    """

    def quote_and_write() -> Order:
        order = _open_order(order_id)
        invoice = current_invoice(order)
        if invoice is None:
            raise IllegalTransition(_("This order has no payment."))
        admission = admit(order.user_id, order.email, order.shipping_address, order.total_minor, at=at, order_id=order.pk)
        slots = Slots()
        if actor == BUYER:
            _check_reservation(order, invoice, at=at)
            slots = _find_slots(order, visitor, at=at)
        quote = prepare_quote(invoice.pk, network or order.network, at=at)
        return in_transaction(lambda: _write(order_id, quote, slots, admission, at=at, actor=actor))

    # IntegrityError: the node gave its address away to another invoice at the same moment.
    failure = OrderMoved(_("The payment was changed at the same time. Please check it again."))
    return retry_when((OrderMoved, InvoiceMoved, IntegrityError), quote_and_write, failure=failure)


def _open_order(order_id: UUID) -> Order:
    order = Order.objects.get(pk=order_id)
    if order.status == Order.Status.CANCELLED:
        raise IllegalTransition(_("This order is cancelled: there is nothing to pay for it."))
    return order


def _check_reservation(order: Order, invoice: Invoice, *, at: datetime) -> None:
    """Raise QuoteRefused if another quote would keep the stock of an unpaid order from others for too long."""
    is_kept = (
        order.status == Order.Status.PENDING and order.holds_stock and invoice.status == Invoice.Status.NEW and invoice.expires_at > at
    )
    if is_kept and count_quotes(invoice.pk) > KEEPING_QUOTES:
        message = _(
            "This order already had %(count)s new quotes. You can get another one after %(time)s, if the products are still in stock."
        )
        raise QuoteRefused(message % {"count": KEEPING_QUOTES, "time": clock(invoice.expires_at)})


def _find_slots(order: Order, visitor: Visitor, *, at: datetime) -> Slots:
    """Find the places of an order for which no money came. One that has lost its stock takes it again, so that its share counts, too."""
    if order.status != Order.Status.PENDING or order.payment_status not in (Order.PaymentStatus.UNPAID, Order.PaymentStatus.EXPIRED):
        return Slots()
    lines = () if order.holds_stock else OrderLine.objects.filter(order=order).prefetch_related("product")
    wanted = {line.product: line.quantity for line in lines if line.product is not None}
    return find_slots(visitor, wanted, email=order.email, account=order.user_id, at=at, order=order)


def _write(order_id: UUID, quote: Quote, slots: Slots, admission: Admission, *, at: datetime, actor: str) -> Order:
    """Write the quote and the order. If enough was paid already, only `shop.orders.payment.follow_invoice` changes the order."""
    order = _open_order(order_id)
    if actor == BUYER:
        _check_reservation(order, quote.preview.invoice, at=at)
    hold_stock(order)
    admission.take(order.pk)
    if quote.offers:
        slots.take_again(order, until=quote.offers[0].expires_at)
        has_part = quote.preview.counted_minor > 0
        apply_new_quote(order, network=quote.offers[0].network, has_part=has_part, actor=actor, at=at)
    requote(quote, at=at, actor=actor)
    if quote.offers and actor != BUYER:
        mail_rest(order, Invoice.objects.get(pk=quote.preview.invoice.pk))
    return Order.objects.get(pk=order_id)
