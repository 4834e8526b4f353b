"""Carts and orders as the API shows them."""

from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.api.serializers import ADDRESS
from cryptons.api.schema import DECIMAL, ID, TEXT, TIME, WHOLE, YES_NO, array, nullable, one_of, shape
from cryptons.money import format_fiat
from payments.invoices.buyer_view import Progress, read_progress
from payments.models import Invoice
from payments.networks.registry import is_sandbox
from shop.cart.contents import CartContents
from shop.models import MAX_QUANTITY, Cart, Order
from shop.orders.state import current_invoice
from shop.orders.timeline import Entry


def quantity_from(least: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": MAX_QUANTITY}


CART = shape(
    id=ID,
    userId=nullable(ID),
    items=array(shape(id=ID, productId=nullable(ID), name=TEXT, price=DECIMAL, quantity=WHOLE, addedAt=TIME)),
    total=DECIMAL,
    updatedAt=TIME,
)
ORDER = shape(
    id=ID,
    userId=nullable(ID),
    orderNumber=TEXT,
    items=array(shape(productId=nullable(ID), name=TEXT, sku=TEXT, quantity=WHOLE, price=DECIMAL, cryptocurrency=TEXT)),
    totalAmount=DECIMAL,
    cryptocurrency=TEXT,
    status=one_of(*Order.Status.values),
    paymentStatus=one_of(*Order.PaymentStatus.values),
    transactionHash=nullable(TEXT),
    shippingAddress=ADDRESS,
    createdAt=TIME,
    updatedAt=TIME,
)
PAYMENT = shape(
    invoiceId=ID,
    status=one_of(*Invoice.Status.values),
    network=TEXT,
    address=TEXT,
    destinationTag=nullable(TEXT),
    amount=DECIMAL,
    uri=TEXT,
    lightning=nullable(TEXT),
    expiresAt=TIME,
    payUrl=TEXT,
    sandbox=YES_NO,
)
EVENT = shape(seq=WHOLE, type=TEXT, title=TEXT, status=TEXT, paymentStatus=TEXT, createdAt=TIME)


def show_cart(cart: Cart, contents: CartContents) -> dict[str, Any]:
    """A product that was deleted has no id any more; one that is no longer sold costs nothing, and blocks the order."""
    return {
        "id": cart.pk,
        "userId": cart.user_id,
        "items": [
            {
                "id": line.item.pk,
                "productId": line.item.product_id,
                "name": line.name,
                "price": format_fiat(line.price_minor, settings.CURRENCY),
                "quantity": line.quantity,
                "addedAt": line.item.added_at,
            }
            for line in contents.lines
        ],
        "total": format_fiat(contents.total_minor, settings.CURRENCY),
        "updatedAt": cart.updated_at,
    }


def show_order(order: Order) -> dict[str, Any]:
    return {
        "id": order.pk,
        "userId": order.user_id,
        "orderNumber": order.number,
        "items": [
            {
                "productId": line.product_id,
                "name": line.name,
                "sku": line.sku,
                "quantity": line.quantity,
                "price": format_fiat(line.price_minor, order.currency),
                "cryptocurrency": order.network,
            }
            for line in order.lines.all()
        ],
        "totalAmount": format_fiat(order.total_minor, order.currency),
        "cryptocurrency": order.network,
        "status": order.status,
        "paymentStatus": order.payment_status,
        "transactionHash": order.transaction_hash or None,
        "shippingAddress": order.shipping_address,
        "createdAt": order.created_at,
        "updatedAt": order.updated_at,
    }


def show_payment(order: Order) -> dict[str, Any]:
    """The current invoice. Raises Invoice.DoesNotExist."""
    invoice = current_invoice(order)
    if invoice is None:
        raise Invoice.DoesNotExist
    return _show_progress(read_progress(invoice.pk))


def _show_progress(progress: Progress) -> dict[str, Any]:
    return {
        "invoiceId": progress.invoice_id,
        "status": progress.status,
        "network": progress.network,
        "address": progress.address,
        "destinationTag": progress.destination_tag or None,
        "amount": progress.due_text,
        "uri": progress.uri,
        "lightning": progress.payment_request or None,
        "expiresAt": progress.expires_at,
        "payUrl": settings.PUBLIC_URL + reverse("shop:pay", args=[progress.invoice_id]),
        "sandbox": is_sandbox(),
    }


def show_entry(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.event.seq,
        "type": entry.event.type,
        "title": entry.title,
        "status": entry.event.data["status"],
        "paymentStatus": entry.event.data["paymentStatus"],
        "createdAt": entry.at,
    }
