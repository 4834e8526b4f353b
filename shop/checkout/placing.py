"""Place an order: from a cart to an order with an open invoice."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.verification.errors import NotAdmitted
from accounts.verification.gate import Admission, admit
from cryptons.db import in_transaction, retry_when
from cryptons.events.models import record
from cryptons.kept_sql import find_rows, insert, new_row
from cryptons.mail.models import Mail
from cryptons.money import MAX_MINOR, UNITS, Minor
from payments.errors import PaymentError
from payments.invoices.buyer_view import QuoteView, view_new_quote
from payments.invoices.opening import DraftInvoice, Offer, draft_invoice, open_invoice, prepare_offers
from shop.cart.contents import CartContents, CartLine, read_cart
from shop.checkout.unpaid_limits import NOBODY, Slots, Visitor, find_slots
from shop.errors import CartBlocked, CartChanged, NotSold, OrderMoved, OutOfRange, OutOfStock, ShopError, Shortage, VoucherRefused
from shop.models import Cart, CartItem, Order, OrderLine, Product, new_order_number
from shop.orders.mail_limits import count_mail
from shop.orders.mails import order_received
from shop.orders.state import state_of
from shop.orders.stock import take_stock
from shop.pricing.voucher_uses import check_person, take_voucher
from shop.pricing.vouchers import apply_voucher
from shop.settings.terms import check_terms

PLACED_AT_ONCE = gettext_lazy("The order could not be placed because of another one at the same time. Please try again.")


@dataclass(frozen=True)
class Buyer:
    email: str
    user: User | None
    address: dict[str, str]
    language: str = ""
    visitor: Visitor = NOBODY
    accepted: UUID | None = None
    """The version of the terms."""


@dataclass(frozen=True)
class Placed:
    order: Order
    quote: QuoteView | None = None
    """How it is to be paid; None if an earlier request with the same token placed it."""


@dataclass(frozen=True)
class Draft:
    """The rows of an order, not stored yet: they are made before the transaction, for which other writers wait."""

    order: Order
    lines: Sequence[OrderLine]
    invoice: DraftInvoice
    mail: Mail | None
    """None when the address was mailed about too many orders already."""
    slots: Slots


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
    voucher: str | None = None,
    accepted: UUID | None = None,
) -> Placed:
    """Turn the cart into an order with an open invoice, and empty it. Asks the node first; then writes everything, or nothing.

    `token`: the same one again returns the order that it placed. `agreed`: CartContents.agreed as the buyer saw it.
    `language`: in which the buyer wants their mails; empty for the shop's first one. `visitor`: for the limits of unpaid orders.
    `voucher`: the code of one instead of the cart's own; empty for none. `accepted`: the version of the terms that the buyer accepted.
    Raises children of ShopError and NotAdmitted, and payments' NodeUnavailable, NodeRejected, RateUnavailable, NetworkNotOffered: the cart
    is kept.
    """
    buyer = Buyer(email, user, address, language, visitor, accepted)
    return _place(lambda: read_cart(cart, voucher, at=at), buyer, network, at=at, token=token, agreed=agreed)


def order_products(
    quantities: dict[UUID, int],
    *,
    email: str,
    user: User | None,
    address: dict[str, str],
    network: str,
    at: datetime,
    token: UUID | None = None,
    visitor: Visitor = NOBODY,
    voucher: str | None = None,
    accepted: UUID | None = None,
) -> Placed:
    """Place an order for these products without a cart. Raises what place_order raises, and Product.DoesNotExist."""
    buyer = Buyer(email, user, address, visitor=visitor, accepted=accepted)
    return _place(lambda: contents_of(quantities, voucher, at=at), buyer, network, at=at, token=token, agreed="")


def placed_order(token: UUID, user: User | None) -> Order | None:
    """Return the order that was placed with this token before, if there is one."""
    return Order.objects.filter(checkout_token=token, user=user).first()


def contents_of(quantities: dict[UUID, int], voucher: str | None = None, *, at: datetime) -> CartContents:
    """Return these products in a cart that is not stored. Raises Product.DoesNotExist."""
    products = {product.pk: product for product in find_rows(Product, quantities) if product.is_listed}
    if len(products) < len(quantities):
        raise Product.DoesNotExist("Product not found")
    lines = tuple(
        CartLine(new_row(CartItem, product=products[product_id], name=products[product_id].name, quantity=quantity), products[product_id])
        for product_id, quantity in quantities.items()
    )
    return CartContents(None, lines, apply_voucher(voucher, lines, at=at) if voucher else None)


def _place(read: Callable[[], CartContents], buyer: Buyer, network: str, *, at: datetime, token: UUID | None, agreed: str) -> Placed:
    """Place the order, or return the one that the same token has placed already."""
    attempts = itertools.count()

    def place() -> Placed:
        placed = placed_order(token, buyer.user) if token else None
        if placed is not None:
            return Placed(placed)
        contents = read()
        if agreed and agreed != contents.agreed:
            raise CartChanged(_("The cart or a price has changed. Please check your order again."))
        check_contents(contents)
        terms_id = check_terms(buyer.accepted)
        if contents.applied and contents.applied.voucher:
            check_person(contents.applied.voucher, email=buyer.email, account=buyer.user.pk if buyer.user else None)
        admission = admit(buyer.user.pk if buyer.user else None, buyer.email, buyer.address, contents.total_minor, at=at)
        slots = _find_slots(contents, buyer, at=at)
        number = new_order_number()
        offers = prepare_offers(network, Minor(contents.total_minor), label=f"order_{number}", at=at, checks_use=next(attempts) > 0)
        if offers[0].due_base <= UNITS[network].dust_base:
            raise OutOfRange(too_small(network))
        draft = _draft(contents, buyer, offers, slots, number=number, token=token, terms_id=terms_id, at=at)
        in_transaction(partial(_write, contents, draft, admission))
        return Placed(draft.order, view_new_quote(draft.invoice.invoice, draft.invoice.options))

    # IntegrityError: the button was pressed twice and the other request placed it; or the node gave its address away.
    failure = OrderMoved(PLACED_AT_ONCE)
    try:
        return retry_when(IntegrityError, place, attempts=2, failure=failure)
    except (ShopError, PaymentError, NotAdmitted):
        # A second press finds the cart empty, the stock taken or the node silent, after the first one won.
        placed = placed_order(token, buyer.user) if token else None
        if placed is None:
            raise
        return Placed(placed)


def _find_slots(contents: CartContents, buyer: Buyer, *, at: datetime) -> Slots:
    wanted = {line.product: line.quantity for line in contents.lines if line.product is not None}
    return find_slots(buyer.visitor, wanted, email=buyer.email, account=buyer.user.pk if buyer.user else None, at=at)


def check_contents(contents: CartContents) -> None:
    """Raise CartBlocked, NotSold, OutOfStock, VoucherRefused or OutOfRange if this cannot be ordered now."""
    if not contents.lines:
        raise CartBlocked(_("Your cart is empty."))
    for line in contents.lines:
        if not line.is_sold:
            raise NotSold(line.problem)
    shortages = [Shortage(line.name, line.most, product_id=line.item.product_id) for line in contents.lines if line.quantity > line.most]
    if shortages:
        raise OutOfStock(shortages)
    if contents.applied and contents.applied.refusal:
        raise VoucherRefused(contents.applied.refusal)
    if not 0 < contents.total_minor <= MAX_MINOR:
        raise OutOfRange(_("An order of this total cannot be taken. Please change the quantities."))


def too_small(network: str) -> str:
    message = _("This order is too small to be paid in %(network)s. Please add something, or choose another way to pay.")
    return message % {"network": UNITS[network].name}


def _draft(
    contents: CartContents,
    buyer: Buyer,
    offers: Sequence[Offer],
    slots: Slots,
    *,
    number: str,
    token: UUID | None,
    terms_id: UUID | None,
    at: datetime,
) -> Draft:
    order = new_row(
        Order,
        number=number,
        checkout_token=token or uuid4(),
        user=buyer.user,
        email=buyer.email,
        language=buyer.language,
        network=offers[0].network,
        holds_stock=True,
        voucher_id=contents.applied.voucher.pk if contents.applied and contents.applied.voucher else None,
        voucher_code=contents.voucher_code,
        discount_minor=contents.discount_minor,
        terms_id=terms_id,
        total_minor=contents.total_minor,
        currency=settings.CURRENCY,
        shipping_address=buyer.address,
        created_at=at,
        updated_at=at,
    )
    lines = [
        new_row(
            OrderLine,
            order=order,
            product=line.product,
            name=line.product.name,
            sku=line.product.sku,
            category_id=line.product.category_id,
            price_minor=line.price_minor,
            quantity=line.quantity,
            discount_minor=priced.discount_minor,
        )
        for line, priced in zip(contents.lines, contents.totals.lines, strict=True)
        if line.product is not None
    ]
    _set_lines(order, lines)
    invoice = draft_invoice(offers, subject_id=order.pk, label=f"order_{number}", price=Minor(order.total_minor), at=at)
    mail = order_received(order, invoice.invoice, invoice.options[0]) if count_mail(buyer.email, buyer.visitor.session) else None
    return Draft(order, lines, invoice, mail, slots)


def _set_lines(order: Order, lines: list[OrderLine]) -> None:
    """Let the mail and the answer read these lines as if they had been prefetched; Django has no public function for rows at hand."""
    rows: QuerySet[OrderLine] = QuerySet(OrderLine)
    rows._result_cache = lines
    order._prefetched_objects_cache = {"lines": rows}  # type: ignore[attr-defined]


def _write(contents: CartContents, draft: Draft, admission: Admission) -> None:
    order = draft.order
    if contents.applied and contents.applied.voucher:
        take_voucher(order, contents.applied.voucher)
    take_stock(draft.lines)
    insert([order])
    insert(draft.lines)
    invoice = open_invoice(draft.invoice)
    draft.slots.take(order, until=invoice.expires_at)
    admission.take(order.pk)
    record("order.placed", order.pk, seq=order.version, data=state_of(order), actor=order.user.get_username() if order.user else "")
    if draft.mail is not None:
        insert([draft.mail])
    if contents.cart is not None:
        _empty(contents.cart, {line.item.pk: line.quantity for line in contents.lines})
        if contents.cart.voucher_code:
            Cart.objects.filter(pk=contents.cart.pk).update(voucher_code="")


def _empty(cart: Cart, ordered: dict[UUID, int]) -> None:
    """Take the ordered items out of the cart. Raises CartChanged when they are not what is in it."""
    items = CartItem.objects.filter(cart=cart)
    if dict(items.values_list("pk", "quantity")) != ordered or items.filter(pk__in=ordered).delete()[0] != len(ordered):
        raise CartChanged(_("The cart has just changed. Please check your order again."))
