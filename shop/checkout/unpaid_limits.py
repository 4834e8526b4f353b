"""What one visitor can hold without paying: so many open orders, and a share of each product's stock.

A visitor is recognised by session, account, client address and mail address, each on its own. An open order takes a place for each of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cryptons.client_address import client_ip
from cryptons.formats import clock
from cryptons.kept_sql import insert
from shop.errors import ShopError, TooManyUnits
from shop.models import Order, OrderLine, Product, UnpaidSlot

UNPAID = (Order.PaymentStatus.UNPAID, Order.PaymentStatus.UNDERPAID)
OPEN = (Order.Status.PENDING, Order.Status.CANCELLED)
"""A cancelled order keeps its place until its quote expires, and lets others be placed, but not without end."""
CANCELLED_TIMES = 3
"""How often the number of open orders may be placed while quotes last, with cancellations in between: each uses a wallet's address."""
MOST_FORGOTTEN = 1000
"""Places that one sweep deletes; the next one takes the rest."""


class TooManyUnpaid(ShopError):
    """The visitor has as many unpaid orders as the shop allows. Pay or cancel one, or wait until its quote expires."""

    def __init__(self, message: str, orders: Sequence[Order]) -> None:
        super().__init__(message)
        self.orders = tuple(orders)
        """Maybe not all the visitor's own: others may share the address. Show only those that the visitor may see."""


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from; empty for an order that no request asks for."""

    session: str = ""
    address: str = ""


NOBODY = Visitor()


def visitor_of(request: HttpRequest) -> Visitor:
    return Visitor(request.session.session_key or "", client_ip(request))


@dataclass(frozen=True)
class Slots:
    """The free places that an order is going to take: (hash of the visitor, number)."""

    places: tuple[tuple[str, int], ...] = ()

    def take(self, order: Order, *, until: datetime) -> None:
        """Write the places in the order's transaction. Raises IntegrityError when another order of the visitor was faster."""
        insert([UnpaidSlot(visitor=visitor, number=number, order=order, until=until) for visitor, number in self.places])

    def take_again(self, order: Order, *, until: datetime) -> None:
        """Write the places of a new quote instead of those of the former one."""
        if self.places:
            UnpaidSlot.objects.filter(order=order).delete()
            self.take(order, until=until)


def find_slots(
    visitor: Visitor,
    wanted: Mapping[Product, int],
    *,
    email: str,
    account: UUID | None,
    at: datetime,
    order: Order | None = None,
) -> Slots:
    """Return the places for an order of these products, or of a new quote for `order`. Raises TooManyUnpaid, TooManyUnits."""
    if not settings.UNPAID_ORDERS:
        return Slots()
    keys = _keys(visitor, email=email, account=account)
    taken = [slot for slot in _read_slots(keys, at=at) if order is None or slot.order_id != order.pk]
    numbers: dict[str, set[int]] = defaultdict(set)
    for key in keys:
        mine = [slot for slot in taken if slot.visitor == key]
        waiting = [slot for slot in mine if slot.order.status == Order.Status.PENDING]
        if len(waiting) >= settings.UNPAID_ORDERS:
            raise _too_many(waiting)
        if len(mine) >= settings.UNPAID_ORDERS * CANCELLED_TIMES:
            message = _("Several orders were placed and cancelled in a short time. Please order again after %(time)s.")
            raise TooManyUnpaid(message % {"time": clock(min(slot.until for slot in mine))}, ())
        numbers[key] = {slot.number for slot in mine}
    _check_share(wanted, {slot.order for slot in taken})
    # Always the lowest: a request at the same time that read the same rows takes the same place, and the unique index refuses one of them.
    return Slots(tuple((key, min(set(range(1, len(numbers[key]) + 2)) - numbers[key])) for key in keys))


def forget_closed_slots(*, at: datetime) -> int:
    """Delete the places of orders that are no longer open or unpaid. Returns how many."""
    closed = Q(until__lte=at) | ~Q(order__status__in=OPEN) | ~Q(order__payment_status__in=UNPAID)
    old = list(UnpaidSlot.objects.filter(closed).values_list("pk", flat=True)[:MOST_FORGOTTEN])
    return UnpaidSlot.objects.filter(pk__in=old).delete()[0]


def _keys(visitor: Visitor, *, email: str, account: UUID | None) -> list[str]:
    known = {"session": visitor.session, "account": str(account or ""), "address": visitor.address, "mail": email.strip().lower()}
    return [salted_hmac("unpaid orders", f"{kind}:{value}", algorithm="sha256").hexdigest() for kind, value in known.items() if value]


def _read_slots(keys: Iterable[str], *, at: datetime) -> list[UnpaidSlot]:
    """Return the places that are taken, and delete those of orders that were paid or have expired."""
    taken: list[UnpaidSlot] = []
    closed: list[UnpaidSlot] = []
    for slot in UnpaidSlot.objects.filter(visitor__in=keys).select_related("order"):
        is_taken = slot.until > at and slot.order.status in OPEN and slot.order.payment_status in UNPAID
        (taken if is_taken else closed).append(slot)
    if closed:
        UnpaidSlot.objects.filter(pk__in=[slot.pk for slot in closed]).delete()
    return taken


def _too_many(slots: list[UnpaidSlot]) -> TooManyUnpaid:
    orders = sorted({slot.order for slot in slots}, key=lambda order: order.created_at)
    message = ngettext(
        "%(count)s unpaid order with your email address or from your connection is open already. "
        "Please pay or cancel it first, or order again after %(time)s, when its quote expires.",
        "%(count)s unpaid orders with your email address or from your connection are open already. "
        "Please pay or cancel one of them first, or order again after %(time)s, when the next quote expires.",
        len(orders),
    )
    return TooManyUnpaid(message % {"count": len(orders), "time": clock(min(slot.until for slot in slots))}, orders)


def _check_share(wanted: Mapping[Product, int], orders: Iterable[Order]) -> None:
    """Raise TooManyUnits if the visitor would hold more than the allowed share of a product, with what the open orders hold of it."""
    holding = [order.pk for order in orders if order.holds_stock]
    held: dict[UUID | None, int] = defaultdict(int)
    if holding and wanted:
        for product_id, quantity in OrderLine.objects.filter(order__in=holding, product__in=wanted).values_list("product_id", "quantity"):
            held[product_id] += quantity
    # After what is held: stock read before it counts the pieces of an order placed in between twice.
    stock = dict(Product.objects.filter(pk__in=[product.pk for product in wanted]).values_list("pk", "stock")) if held else {}
    for product, quantity in wanted.items():
        most = max(1, int((stock.get(product.pk, product.stock) + held[product.pk]) * settings.UNPAID_SHARE))
        if held[product.pk] + quantity > most:
            message = _(
                "Before you pay, at most %(most)s of %(product)s can be reserved for you. Please lower the quantity, or pay your open "
                "orders first."
            )
            raise TooManyUnits(message % {"most": most, "product": product.name})
