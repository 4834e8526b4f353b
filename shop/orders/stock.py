"""Reserve and return stock by conditional updates, so that nothing is sold twice (D44 in docs/decisions.md)."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F
from django.utils.translation import gettext as _

from cryptons.kept_sql import execute
from shop.catalogue.changes import plenty_sold, stock_changed
from shop.errors import CartChanged, OutOfStock, Shortage, VoucherRefused
from shop.models import LOW_STOCK, Order, OrderLine, Product
from shop.pricing.voucher_uses import release_voucher, take_voucher_again

SELL = "UPDATE shop_product SET stock = stock - %s WHERE id = %s AND is_listed AND price_minor = %s AND stock >= %s"
"""What Django compiles, which takes longer than to run it (D86)."""


def hold_stock(order: Order) -> None:
    """Reserve the quantities of all lines or of none, and use the order's voucher, in the caller's transaction.

    Does nothing if the order holds its stock already. Raises OutOfStock and VoucherRefused with nothing reserved, so a caller can go on
    in the same transaction.
    """
    if not Order.objects.filter(pk=order.pk, holds_stock=False).update(holds_stock=True):
        return
    try:
        take_voucher_again(order)
    except VoucherRefused:
        Order.objects.filter(pk=order.pk).update(holds_stock=False)
        raise
    lines = list(order.lines.all())
    shortages = [Shortage(line.name, 0) for line in lines if line.product_id is None] or _take(_quantities(lines))
    if shortages:
        release_voucher(order)
        Order.objects.filter(pk=order.pk).update(holds_stock=False)
        raise OutOfStock(shortages)
    order.holds_stock = True


def take_stock(lines: Iterable[OrderLine]) -> None:
    """Take the quantities of a new order's lines, each at the line's price, in the caller's transaction, which an error must end.

    Raises OutOfStock, and CartChanged when a product has another price or is no longer sold.
    """
    by_product = {line.product_id: line for line in lines if line.product_id is not None}
    plenty: list[Product] = []
    scarce: dict[UUID, int] = {}
    shortages: list[Shortage] = []
    for product_id, line in sorted(by_product.items()):  # as hold_stock does
        if line.product and _sell(product_id, line, least=LOW_STOCK + 1 + line.quantity):
            plenty.append(line.product)
            continue
        if _sell(product_id, line, least=line.quantity):
            scarce[product_id] = -line.quantity
            continue
        offered = Product.objects.filter(pk=product_id, is_listed=True, price_minor=line.price_minor)
        stock = offered.values_list("stock", flat=True).first()
        if stock is None:
            raise CartChanged(_("A price or the stock has just changed. Please check your order again."))
        shortages.append(Shortage(line.name, stock, product_id=product_id))
    if shortages:
        raise OutOfStock(shortages)
    plenty_sold(plenty)
    stock_changed(scarce)


def _sell(product_id: UUID, line: OrderLine, *, least: int) -> bool:
    """Take the line's quantity if the product is sold at the line's price and has at least so many. Returns whether it was taken."""
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor == "mongodb":
        offered = Product.objects.filter(pk=product_id, is_listed=True, price_minor=line.price_minor, stock__gte=least)
        return bool(offered.update(stock=F("stock") - line.quantity))
    key = Product._meta.get_field("id").get_db_prep_value(product_id, database)
    return bool(execute(SELL, [line.quantity, key, line.price_minor, least])[0])


def release_stock(order: Order) -> bool:
    """Return the lines' quantities to stock and the voucher's use, in the caller's transaction. False if that was done before."""
    if not Order.objects.filter(pk=order.pk, holds_stock=True).update(holds_stock=False):
        return False
    release_voucher(order)
    quantities = _quantities(OrderLine.objects.filter(order=order))
    _put_back(quantities)
    stock_changed(quantities)
    order.holds_stock = False
    return True


def _quantities(lines: Iterable[OrderLine]) -> dict[UUID, int]:
    """Sum the quantities by product, sorted by id: every process that takes several products takes them in this order."""
    totals: dict[UUID, int] = {}
    for line in lines:
        if line.product_id is not None:
            totals[line.product_id] = totals.get(line.product_id, 0) + line.quantity
    return dict(sorted(totals.items()))


def _take(quantities: Mapping[UUID, int]) -> list[Shortage]:
    """Take all quantities, or none. Returns the shortages; empty when all were taken."""
    taken: dict[UUID, int] = {}
    shortages: list[Shortage] = []
    for product_id, quantity in quantities.items():
        enough = Product.objects.filter(pk=product_id, stock__gte=quantity)
        if enough.update(stock=F("stock") - quantity):
            taken[product_id] = quantity
        else:
            name, stock = Product.objects.filter(pk=product_id).values_list("name", "stock").first() or (_("A product"), 0)
            shortages.append(Shortage(name, stock, product_id=product_id))
    if shortages:
        _put_back(taken)
    else:
        stock_changed({product_id: -quantity for product_id, quantity in taken.items()})
    return shortages


def _put_back(quantities: Mapping[UUID, int]) -> None:
    for product_id, quantity in quantities.items():
        Product.objects.filter(pk=product_id).update(stock=F("stock") + quantity)
