"""A visitor's cart: a user's one cart, or a guest's, whose id is in the session."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from cryptons.formats import money
from cryptons.money import MAX_MINOR
from shop.errors import CartFull, NotSold, OutOfStock, Shortage, VoucherRefused
from shop.models import MAX_QUANTITY, Cart, CartItem, Product
from shop.pricing.totals import Totals, totals
from shop.pricing.vouchers import AppliedVoucher, apply_voucher

MAX_LINES = 100
SESSION_KEY = "cart"


@dataclass(frozen=True)
class CartLine:
    item: CartItem
    product: Product | None

    @property
    def quantity(self) -> int:
        return self.item.quantity

    @property
    def name(self) -> str:
        return self.product.name if self.product else self.item.name

    @property
    def is_sold(self) -> bool:
        return self.product is not None and self.product.is_listed

    @property
    def price_minor(self) -> int:
        """The price of one piece; 0 when the product is no longer sold."""
        return self.product.price_minor if self.product and self.is_sold else 0

    @property
    def total_minor(self) -> int:
        return self.price_minor * self.quantity

    @property
    def most(self) -> int:
        """The most pieces that the buyer could order now."""
        return max(0, min(self.product.stock, MAX_QUANTITY)) if self.product and self.is_sold else 0

    @property
    def problem(self) -> str:
        """Why this line cannot be ordered, and what to do; empty when it can."""
        if not self.is_sold:
            return _("%(product)s is no longer sold. Please remove it.") % {"product": self.name}
        if self.most == 0:
            return _("%(product)s is sold out. Please remove it, or keep it and come back later.") % {"product": self.name}
        if self.quantity > self.most:
            advice = _("Please lower the quantity to %(quantity)s.") % {"quantity": self.most}
            return f"{Shortage(self.name, self.most)} {advice}"
        return ""


@dataclass(frozen=True)
class CartContents:
    """A cart with the products as they are now."""

    cart: Cart | None
    lines: tuple[CartLine, ...]
    applied: AppliedVoucher | None = None
    """The voucher that the buyer entered, even if it is refused now."""

    @cached_property
    def totals(self) -> Totals:
        return self.applied.totals if self.applied else totals(self.lines)

    @property
    def subtotal_minor(self) -> int:
        return self.totals.subtotal_minor

    @property
    def discount_minor(self) -> int:
        return self.totals.discount_minor

    @property
    def total_minor(self) -> int:
        return self.totals.total_minor

    @property
    def voucher_code(self) -> str:
        return self.applied.code if self.applied else ""

    @property
    def voucher(self) -> str | None:
        """The code, as the API has it."""
        return self.voucher_code or None

    @property
    def count(self) -> int:
        return sum(line.quantity for line in self.lines)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """Sentences for the buyer about lines that cannot be ordered; empty for an empty cart."""
        problems = [line.problem for line in self.lines if line.problem]
        if self.total_minor > MAX_MINOR:
            problems.append(_("An order can have a total of at most %(limit)s. Please lower a quantity.") % {"limit": money(MAX_MINOR)})
        if self.lines and self.applied and self.applied.refusal:
            problems.append(f"{self.applied.refusal} {_('Please remove the voucher or enter another one.')}")
        return tuple(problems)

    @property
    def can_be_ordered(self) -> bool:
        return bool(self.lines) and not self.problems

    @property
    def agreed(self) -> str:
        """The products, quantities, prices and discount that the buyer sees and agrees to, as text for a hidden field."""
        parts = [f"{line.item.product_id}:{line.quantity}:{line.price_minor}" for line in self.lines]
        return ",".join([*parts, f"{self.voucher_code}:{self.discount_minor}"] if self.voucher_code else parts)


def find_cart(request: HttpRequest) -> Cart | None:
    if request.user.is_authenticated:
        return Cart.objects.filter(user=request.user).first()
    cart_id = request.session.get(SESSION_KEY)
    return Cart.objects.filter(pk=cart_id, user=None).first() if cart_id else None


def open_cart(request: HttpRequest) -> Cart:
    """Return the visitor's cart. A guest's first cart starts the session."""
    if request.user.is_authenticated:
        return cart_of(request.user)
    cart = find_cart(request)
    if cart is None:
        cart = Cart.objects.create()
        request.session[SESSION_KEY] = str(cart.pk)
    return cart


def cart_of(user: User) -> Cart:
    return Cart.objects.get_or_create(user=user)[0]


def read_cart(cart: Cart | None, voucher: str | None = None, *, at: datetime | None = None) -> CartContents:
    """Read the cart as it is now, with the voucher of this code instead of its own; with none for an empty code."""
    items = CartItem.objects.filter(cart=cart).prefetch_related("product") if cart else ()
    lines = tuple(CartLine(item, item.product) for item in items)
    code = (cart.voucher_code if cart else "") if voucher is None else voucher
    return CartContents(cart, lines, apply_voucher(code, lines, at=at or timezone.now()) if code else None)


def set_voucher(cart: Cart, code: str, *, at: datetime) -> None:
    """Use the voucher for this cart; without a code, none. Raises VoucherRefused, and then changes nothing."""
    if code:
        applied = read_cart(cart, code, at=at).applied
        if applied and applied.refusal:
            raise VoucherRefused(applied.refusal)
    Cart.objects.filter(pk=cart.pk).update(voucher_code=code, updated_at=at)


def count_items(request: HttpRequest) -> int:
    """Count the pieces in the visitor's cart."""
    if request.user.is_authenticated:
        items = CartItem.objects.filter(cart__user=request.user)
    elif cart_id := request.session.get(SESSION_KEY):
        items = CartItem.objects.filter(cart=cart_id, cart__user=None)
    else:
        return 0
    return items.aggregate(count=Sum("quantity"))["count"] or 0


def add_to_cart(cart: Cart, product: Product, quantity: int) -> CartItem:
    """Put more of a product into the cart. Raises OutOfStock, NotSold, CartFull."""
    if not product.is_listed:
        raise NotSold(_("%(product)s is no longer sold.") % {"product": product.name})
    mine = CartItem.objects.filter(cart=cart, product=product)
    most = min(product.stock, MAX_QUANTITY)
    for _attempt in range(2):
        if mine.filter(quantity__lte=most - quantity).update(quantity=F("quantity") + quantity):
            break
        item = mine.first()
        if item or quantity > most:
            raise OutOfStock([Shortage(product.name, max(0, most), in_cart=item.quantity if item else 0, product_id=product.pk)])
        if CartItem.objects.filter(cart=cart).count() >= MAX_LINES:
            raise CartFull(_("A cart holds up to %(count)s different products. Please order these first.") % {"count": MAX_LINES})
        try:
            CartItem.objects.create(cart=cart, product=product, name=product.name, quantity=quantity)
        except IntegrityError:
            continue  # another request of the same visitor put it in first: add to that
        break
    _touch(cart)
    return mine.get()


def set_quantity(item: CartItem, quantity: int) -> None:
    """Change a line's quantity; 0 removes the line. Raises OutOfStock and NotSold, and then changes nothing."""
    if quantity == 0:
        CartItem.objects.filter(pk=item.pk).delete()
    else:
        line = CartLine(item, item.product)
        if not line.is_sold:
            raise NotSold(line.problem)
        if quantity > line.most:
            raise OutOfStock([Shortage(line.name, line.most, product_id=item.product_id)])
        CartItem.objects.filter(pk=item.pk).update(quantity=quantity)
    item.quantity = quantity
    _touch(item.cart)


def forget_old_carts(*, at: datetime) -> int:
    """Delete guests' carts that nobody has changed for CART_KEEP_DAYS. Returns how many."""
    old = Cart.objects.filter(user=None, updated_at__lt=at - timedelta(days=settings.CART_KEEP_DAYS)).values_list("pk", flat=True)[:1000]
    return Cart.objects.filter(pk__in=list(old), user=None).delete()[1].get("shop.Cart", 0)


def _touch(cart: Cart) -> None:
    cart.updated_at = timezone.now()
    Cart.objects.filter(pk=cart.pk).update(updated_at=cart.updated_at)
