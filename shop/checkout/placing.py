"""Place an order: from a cart to an order with an open invoice."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _

from accounts.models import User
from cryptons.db import in_transaction, retry_when
from cryptons.events.models import record
from cryptons.money import MAX_MINOR, UNITS, Minor
from payments.invoices.opening import Offer, open_invoice, prepare_offers
from shop.cart.contents import CartContents, CartLine, read_cart
from shop.checkout.unpaid_limits import NOBODY, Slots, Visitor, find_slots
from shop.errors import CartBlocked, CartChanged, NotSold, OrderMoved, OutOfRange, OutOfStock, ShopError, Shortage
from shop.models import Cart, CartItem, Order, OrderLine, Product, new_order_number
from shop.orders.mails import mail_order_received
from shop.orders.state import state_of
from shop.orders.stock import hold_stock


@dataclass(frozen=True)
class Buyer:
    email: str
    user: User | None
    address: dict[str, str]
    language: str = ""
    visitor: Visitor = NOBODY


def place_order(
    cart: Cart,
    *,
    email: str,
    user: User | None,
    address: dict[str, str],
    network: str,
    at: datetime,
    token: UUID | None = None,
    agreed: str = "",
    language: str = "",
    visitor: Visitor = NOBODY,
) -> Order:
    """Turn the cart into an order with an open invoice, and empty it. Asks the node first; then writes everything, or nothing.

    `token`: the same one again returns the order that it placed. `agreed`: CartContents.agreed as the buyer saw it.
    `language`: in which the buyer wants their mails; empty for the shop's first one. `visitor`: for the limits of unpaid orders.
    Raises ShopError's children, and payments' NodeUnavailable, NodeRejected, RateUnavailable, NetworkNotOffered: the cart is kept.
    """
    return _place(
        lambda: read_cart(cart), Buyer(email, user, address, language, visitor), network, at=at, token=token or uuid.uuid4(), agreed=agreed
    )


def order_products(
    quantities: dict[UUID, int],
    *,
    email: str,
    user: User | None,
    address: dict[str, str],
    network: str,
    at: datetime,
    token: UUID,
    visitor: Visitor = NOBODY,
) -> Order:
    """Place an order for these products without a cart. Raises what place_order raises, and Product.DoesNotExist."""
    buyer = Buyer(email, user, address, visitor=visitor)
    return _place(lambda: _contents_of(quantities), buyer, network, at=at, token=token, agreed="")


def placed_order(token: UUID, user: User | None) -> Order | None:
    """Return the order that was placed with this token before, if there is one."""
    return Order.objects.filter(checkout_token=token, user=user).first()


def _contents_of(quantities: dict[UUID, int]) -> CartContents:
    products = Product.objects.listed().in_bulk(quantities)
    if len(products) < len(quantities):
        raise Product.DoesNotExist("Product not found")
    lines = (
        CartLine(CartItem(product=products[product_id], name=products[product_id].name, quantity=quantity), products[product_id])
        for product_id, quantity in quantities.items()
    )
    return CartContents(None, tuple(lines))


def _place(read: Callable[[], CartContents], buyer: Buyer, network: str, *, at: datetime, token: UUID, agreed: str) -> Order:
    """Place the order, or return the one that the same token has placed already."""

    def place() -> Order:
        placed = placed_order(token, buyer.user)
        if placed is not None:
            return placed
        contents = read()
        if agreed and agreed != contents.agreed:
            raise CartChanged(_("The cart or a price has changed. Please check your order again."))
        _check(contents)
        slots = _find_slots(contents, buyer, at=at)
        number = new_order_number()
        total = Minor(contents.total_minor)
        offers = prepare_offers(network, total, label=f"order_{number}", at=at)
        if offers[0].due_base <= UNITS[network].dust_base:
            message = _("This order is too small to be paid in %(network)s. Please add something, or choose another way to pay.")
            raise OutOfRange(message % {"network": UNITS[network].name})
        return in_transaction(partial(_write, read, contents, buyer, offers, slots, number=number, token=token, at=at))

    # IntegrityError: the button was pressed twice and the other request placed it; or the node gave its address away.
    failure = OrderMoved(_("The order could not be placed because of another one at the same time. Please try again."))
    try:
        return retry_when(IntegrityError, place, attempts=2, failure=failure)
    except ShopError:
        placed = placed_order(token, buyer.user)  # a second press that finds the cart empty or the stock taken, because the first one won
        if placed is None:
            raise
        return placed


def _find_slots(contents: CartContents, buyer: Buyer, *, at: datetime) -> Slots:
    wanted = {line.product: line.quantity for line in contents.lines if line.product is not None}
    return find_slots(buyer.visitor, wanted, email=buyer.email, account=buyer.user.pk if buyer.user else None, at=at)


def _check(contents: CartContents) -> None:
    if not contents.lines:
        raise CartBlocked(_("Your cart is empty."))
    for line in contents.lines:
        if not line.is_sold:
            raise NotSold(line.problem)
    shortages = [Shortage(line.name, line.most) for line in contents.lines if line.quantity > line.most]
    if shortages:
        raise OutOfStock(shortages)
    if not 0 < contents.total_minor <= MAX_MINOR:
        raise OutOfRange(_("An order of this total cannot be taken. Please change the quantities."))


def _write(
    read: Callable[[], CartContents],
    contents: CartContents,
    buyer: Buyer,
    offers: Sequence[Offer],
    slots: Slots,
    *,
    number: str,
    token: UUID,
    at: datetime,
) -> Order:
    if read().agreed != contents.agreed:
        raise CartChanged(_("A price or the stock has just changed. Please check your order again."))
    order = Order.objects.create(
        number=number,
        checkout_token=token,
        user=buyer.user,
        email=buyer.email,
        language=buyer.language,
        network=offers[0].network,
        total_minor=contents.total_minor,
        currency=settings.CURRENCY,
        shipping_address=buyer.address,
        created_at=at,
        updated_at=at,
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            product=line.product,
            name=line.product.name,
            sku=line.product.sku,
            price_minor=line.price_minor,
            quantity=line.quantity,
        )
        for line in contents.lines
        if line.product is not None
    )
    prefetch_related_objects([order], "lines")  # stock, mail and answer read them
    hold_stock(order)
    invoice = open_invoice(offers, subject_id=order.pk, label=f"order_{order.number}", price=Minor(order.total_minor), at=at)
    slots.take(order, until=invoice.expires_at)
    record("order.placed", order.pk, seq=order.version, data=state_of(order), actor=order.user.get_username() if order.user else "")
    mail_order_received(order, invoice)
    if contents.cart is not None:
        taken = [line.item.pk for line in contents.lines]
        if CartItem.objects.filter(pk__in=taken).delete()[0] != len(taken):
            raise CartChanged(_("The cart has just changed. Please check your order again."))
    return order
