"""Make a new quote for an unpaid order, in another coin or at today's rate. Its stock is reserved again, or the buyer sees what is gone."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _

from cryptons.db import in_transaction, retry_when
from payments.errors import InvoiceMoved
from payments.invoices.opening import read_invoice
from payments.invoices.requoting import Quote, prepare_quote, requote
from payments.models import Invoice
from shop.errors import IllegalTransition, OrderMoved
from shop.models import Order
from shop.orders.lifecycle import apply_new_quote
from shop.orders.mails import mail_rest
from shop.orders.state import current_invoice
from shop.orders.stock import hold_stock

BUYER = "buyer"


def ask_for_rest(order_id: UUID, network: str = "", *, version: int, actor: str, at: datetime) -> Order:
    """Make the quote for the buyer and mail how to pay it, for staff. `version` is the invoice's, as staff saw it.

    Raises InvoiceMoved when it has changed since, and what requote_order raises.
    """
    invoice = current_invoice(_open_order(order_id))
    if invoice is None or read_invoice(invoice.pk, version).status != Invoice.Status.EXPIRED:
        raise IllegalTransition(_("This invoice is still open: its quote has not expired yet."))
    return requote_order(order_id, network, at=at, actor=actor)


def requote_order(order_id: UUID, network: str = "", *, at: datetime, actor: str = BUYER) -> Order:
    """Make a new quote in the given network, else in the order's own. Asks the node first; then writes everything, or nothing.

    Raises IllegalTransition, OutOfStock, OrderMoved, Order.DoesNotExist, and what payments.invoices.requoting.prepare_quote raises.
    """

    def quote_and_write() -> Order:
        order = _open_order(order_id)
        invoice = current_invoice(order)
        if invoice is None:
            raise IllegalTransition(_("This order has no payment."))
        quote = prepare_quote(invoice.pk, network or order.network, at=at)
        return in_transaction(lambda: _write(order_id, quote, at=at, actor=actor))

    # IntegrityError: the node gave its address away to another invoice at the same moment.
    failure = OrderMoved(_("The payment was changed at the same time. Please check it again."))
    return retry_when((OrderMoved, InvoiceMoved, IntegrityError), quote_and_write, failure=failure)


def _open_order(order_id: UUID) -> Order:
    order = Order.objects.get(pk=order_id)
    if order.status == Order.Status.CANCELLED:
        raise IllegalTransition(_("This order is cancelled: there is nothing to pay for it."))
    return order


def _write(order_id: UUID, quote: Quote, *, at: datetime, actor: str) -> Order:
    """Write the quote and the order. If enough was paid already, only `shop.orders.payment.follow_invoice` changes the order."""
    order = _open_order(order_id)
    hold_stock(order)
    if quote.offers:
        has_part = quote.preview.counted_minor > 0
        apply_new_quote(order, network=quote.offers[0].network, has_part=has_part, actor=actor, at=at)
    requote(quote, at=at, actor=actor)
    if quote.offers and actor != BUYER:
        mail_rest(order, Invoice.objects.get(pk=quote.preview.invoice.pk))
    return Order.objects.get(pk=order_id)
