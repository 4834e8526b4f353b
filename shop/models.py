from __future__ import annotations

import secrets
import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel
from cryptons.encryption import EncryptedJSONField
from cryptons.waiting_requests import WaitingRequest

MAX_QUANTITY = 1_000_000
"""Of one product in a cart."""
MAX_CODE = 32
"""Characters of a voucher's code."""
LOW_STOCK: int = settings.LOW_STOCK
"""With this many or fewer, pages say "Only 3 left", and staff are told."""


class Category(BaseModel):
    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(_("slug"), max_length=80, unique=True, allow_unicode=True)
    parent = models.ForeignKey(
        "self", null=True, blank=True, verbose_name=_("parent category"), on_delete=models.PROTECT, related_name="children"
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:category", args=[self.slug])


class ProductQuerySet(models.QuerySet["Product"]):
    def listed(self) -> Self:
        return self.filter(is_listed=True)


class Product(BaseModel):
    name = models.CharField(_("name"), max_length=160)
    slug = models.SlugField(_("slug"), max_length=180, unique=True, allow_unicode=True)
    sku = models.CharField(_("SKU"), max_length=64, unique=True)
    description = models.TextField(_("description"), blank=True)
    price_minor = models.BigIntegerField(_("price"), help_text=_("In the currency's smallest unit: 1999 is 19.99."))
    category = models.ForeignKey(Category, verbose_name=_("category"), on_delete=models.PROTECT, related_name="products")
    stock = models.IntegerField(_("stock"), default=0)
    is_listed = models.BooleanField(_("listed"), default=True, help_text=_("Shown in the shop and sold."))
    rating_average = models.DecimalField(_("average rating"), max_digits=3, decimal_places=2, default=0)
    rating_count = models.PositiveIntegerField(_("number of ratings"), default=0)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("changed at"), auto_now=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["category", "price_minor"], name="product_category_price"),
            models.Index(fields=["-created_at", "-id"], name="product_newest"),
            models.Index(fields=["updated_at", "id"], name="product_changed"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:product", args=[self.slug])

    @property
    def picture(self) -> ProductImage | None:
        """The first picture; no query if the images were prefetched."""
        return next(iter(self.images.all()), None)

    @property
    def is_low(self) -> bool:
        return 0 < self.stock <= LOW_STOCK

    @property
    def stock_words(self) -> str:
        if self.stock <= 0:
            return gettext("Sold out")
        if self.is_low:
            return ngettext("Only %(count)s left", "Only %(count)s left", self.stock) % {"count": self.stock}
        return gettext("In stock")


class LowStock(BaseModel):
    """A product that staff were told is running low; deleted when there is more again, so that they are told the next time."""

    product = models.OneToOneField(Product, on_delete=models.CASCADE, related_name="+", editable=False)
    told_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return str(self.product_id)


class ProductImage(BaseModel):
    product = models.ForeignKey(Product, verbose_name=_("product"), on_delete=models.CASCADE, related_name="images")
    file = models.ImageField(_("file"), upload_to="products/%Y/%m")
    thumbnail = models.ImageField(_("thumbnail"), upload_to="products/%Y/%m", blank=True, editable=False)
    alt = models.CharField(
        _("alternative text"), max_length=160, blank=True, help_text=_("What the picture shows, for people who cannot see it.")
    )
    width = models.PositiveIntegerField(_("width"), default=0, editable=False)
    height = models.PositiveIntegerField(_("height"), default=0, editable=False)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.alt or str(self.file)

    @property
    def small_url(self) -> str:
        return (self.thumbnail or self.file).url


class Cart(BaseModel):
    """The products that a visitor wants to buy: a user's one cart, or a guest's, whose id is in the session."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, verbose_name=_("user"), on_delete=models.CASCADE, related_name="cart"
    )
    updated_at = models.DateTimeField(_("changed at"), default=timezone.now, db_index=True)
    voucher_code = models.CharField(_("voucher"), max_length=MAX_CODE, blank=True, default="")

    class Meta:
        verbose_name = _("cart")
        verbose_name_plural = _("carts")


class CartItem(BaseModel):
    cart = models.ForeignKey(Cart, verbose_name=_("cart"), on_delete=models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, null=True, verbose_name=_("product"), on_delete=models.SET_NULL, related_name="+")
    """Null once the product was deleted: the cart page says so."""
    name = models.CharField(_("name"), max_length=160)
    quantity = models.PositiveIntegerField(_("quantity"))
    added_at = models.DateTimeField(_("added at"), default=timezone.now)

    class Meta:
        verbose_name = _("cart line")
        verbose_name_plural = _("cart lines")
        ordering = ["added_at"]
        constraints = [models.UniqueConstraint(fields=["cart", "product"], name="cart_item_product")]


def new_order_number() -> str:
    """Generate ten random letters and digits that are hard to confuse: `7K3M9-2QFXA`."""
    drawn = secrets.randbelow(30**10)
    letters = "".join("23456789ABCDEFGHJKMNPQRSTVWXYZ"[drawn // 30**place % 30] for place in range(10))
    return f"{letters[:5]}-{letters[5:]}"


def new_access_token() -> str:
    return secrets.token_urlsafe(24)


class OrderQuerySet(models.QuerySet["Order"]):
    def to_ship(self) -> Self:
        return self.filter(status=Order.Status.PROCESSING, on_hold=False)

    def on_hold(self) -> Self:
        return self.filter(on_hold=True)

    def uncounted(self) -> Self:
        """Select the orders with changes that the figures do not include yet."""
        return self.filter(uncounted__gt=0)


class Order(BaseModel):
    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        PROCESSING = "processing", _("Processing")
        SHIPPED = "shipped", _("Shipped")
        DELIVERED = "delivered", _("Delivered")
        CANCELLED = "cancelled", _("Cancelled")

    class PaymentStatus(models.TextChoices):
        UNPAID = "unpaid", _("Unpaid")
        PENDING = "pending", _("Payment seen")
        CONFIRMING = "confirming", _("Confirming")
        PAID = "paid", _("Paid")
        UNDERPAID = "underpaid", _("Underpaid")
        OVERPAID = "overpaid", _("Overpaid")
        LATE = "late", _("Paid late")
        EXPIRED = "expired", _("Expired")
        REFUNDED = "refunded", _("Refunded")

    number = models.CharField(_("number"), max_length=20, unique=True, default=new_order_number)
    access_token = models.CharField(max_length=64, unique=True, default=new_access_token, editable=False)
    """The key of the order's private link: anyone with it can see the order."""
    checkout_token = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    """Places one order at most, however often a request is sent: its unique index is written with the order itself.

    The checkout's review page carries a random one; the API makes it of the Idempotency-Key. `cryptons.IdempotentRequest` is another thing:
    it keeps the API's answers for 24 hours, so that a repeat gets the same bytes.
    """
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, verbose_name=_("user"), on_delete=models.SET_NULL, related_name="orders"
    )
    email = models.EmailField(_("email"))
    language = models.CharField(_("language"), max_length=10, blank=True, default="")
    """The language of the pages on which it was placed, for its mails; empty means the shop's first one."""
    network = models.CharField(_("network"), max_length=10, help_text=_("The network that the buyer chose, such as BTC or BTC-LN."))
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.PENDING)
    payment_status = models.CharField(_("payment"), max_length=12, choices=PaymentStatus, default=PaymentStatus.UNPAID)
    on_hold = models.BooleanField(_("on hold"), default=False)
    hold_reason = models.CharField(_("reason for the hold"), max_length=200, blank=True)
    """Why the order must not ship although it is paid; a sentence for staff in the shop's language."""
    holds_stock = models.BooleanField(default=False)
    """Whether the lines' quantities are taken out of the products' stock. Only a conditional update changes it."""
    voucher_id = models.UUIDField(null=True, editable=False)
    """No foreign key: a voucher can be deleted, and an index on this would cost each order."""
    voucher_code = models.CharField(_("voucher"), max_length=MAX_CODE, blank=True, default="")
    discount_minor = models.BigIntegerField(_("discount"), default=0)
    """What its lines' discounts add up to."""
    terms_id = models.UUIDField(null=True, editable=False)
    """The version of the terms that its buyer accepted as it was placed; None: the shop did not ask. No foreign key, as above."""
    total_minor = models.BigIntegerField(_("total"))
    """What the buyer pays: the lines less their discounts."""
    currency = models.CharField(_("currency"), max_length=3)
    transaction_hash = models.CharField(_("transaction"), max_length=128, blank=True)
    shipping_address = EncryptedJSONField(_("shipping address"), default=dict)
    note = models.TextField(_("note"), blank=True, help_text=_("For staff only."))
    version = models.PositiveIntegerField(default=1)
    uncounted = models.PositiveIntegerField(default=1, editable=False)
    """Not 0 while it has changes that the figures do not include. Each change also changes this number."""
    created_at = models.DateTimeField(_("placed at"), default=timezone.now, db_index=True)
    updated_at = models.DateTimeField(_("changed at"), default=timezone.now)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="order_user_newest"),
            models.Index(fields=["status", "on_hold"], name="order_work"),
            models.Index(fields=["updated_at", "id"], name="order_changed"),
            models.Index(fields=["updated_at"], condition=models.Q(on_hold=True), name="order_held"),
            models.Index(fields=["id"], condition=models.Q(uncounted__gt=0), name="order_uncounted"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def subtotal_minor(self) -> int:
        return self.total_minor + self.discount_minor


class OrderLinkRequest(WaitingRequest):
    """Somebody's wish for the link to an order, whether there is one or not: a task finds out, so that the answer cannot tell."""

    number = models.CharField(max_length=40)

    def __str__(self) -> str:
        return self.number


class UnpaidSlot(BaseModel):
    """One of the places that a visitor has for unpaid orders. The unique index keeps requests at the same time within the limit."""

    visitor = models.CharField(max_length=64, editable=False)
    """A keyed hash of a session, an account, a client address or a mail address, so that none of them can be read here."""
    number = models.PositiveSmallIntegerField(editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="+", editable=False)
    until = models.DateTimeField(db_index=True, editable=False)
    """When the order's quote expires; after that the place is free again."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["visitor", "number"], name="unpaid_slot")]

    def __str__(self) -> str:
        return str(self.number)


class OrderLine(BaseModel):
    """A product that was bought, copied at that moment."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, null=True, verbose_name=_("product"), on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(_("name"), max_length=160)
    sku = models.CharField(_("SKU"), max_length=64)
    category_id = models.UUIDField(null=True, editable=False)
    """The product's category when it was bought: a category can be deleted, and what was sold in it stays sold."""
    price_minor = models.BigIntegerField(_("price"))
    quantity = models.PositiveIntegerField(_("quantity"))
    discount_minor = models.BigIntegerField(_("discount"), default=0)
    """Its part of the order's discount, off all pieces together."""

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def total_minor(self) -> int:
        """The price of all pieces, before the discount."""
        return self.price_minor * self.quantity


class Voucher(BaseModel):
    """A code that takes something off the price of an order: so many percent, or an amount."""

    code = models.CharField(_("code"), max_length=MAX_CODE, unique=True)
    """In capital letters."""
    percent = models.PositiveSmallIntegerField(_("percent"), default=0)
    """0 when an amount is taken off."""
    amount_minor = models.BigIntegerField(_("amount"), default=0)
    starts_at = models.DateTimeField(_("valid from"), null=True, blank=True)
    ends_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    minimum_minor = models.BigIntegerField(_("minimum"), default=0)
    most_uses = models.PositiveIntegerField(
        _("number of orders"), null=True, blank=True, help_text=_("How many orders can use it. Empty: as many as want to.")
    )
    uses = models.PositiveIntegerField(_("used"), default=0, editable=False)
    """By the orders that hold their stock: they take and release both together."""
    is_once_a_person = models.BooleanField(
        _("once a person"), default=False, help_text=_("Each email address and each account can use it for one order.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("voucher")
        verbose_name_plural = _("vouchers")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.code


class VoucherGoods(BaseModel):
    """A product, or a category with all below it, that a voucher is for. A voucher without such rows is for all products."""

    voucher = models.ForeignKey(Voucher, on_delete=models.CASCADE, related_name="goods")
    product = models.ForeignKey(Product, null=True, blank=True, verbose_name=_("product"), on_delete=models.SET_NULL, related_name="+")
    """Null as well once it was deleted: the row stays, so that the voucher does not become one for all products."""
    category = models.ForeignKey(Category, null=True, blank=True, verbose_name=_("category"), on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("product or category")
        verbose_name_plural = _("only for these products and categories")
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.product or self.category or "–")


class VoucherPerson(BaseModel):
    """A person who has used a voucher that each person can use once. The unique index lets one of two orders at once have it."""

    voucher = models.ForeignKey(Voucher, on_delete=models.CASCADE, related_name="+", editable=False)
    person = models.CharField(max_length=64, editable=False)
    """A keyed hash of a mail address or an account."""
    order = models.ForeignKey(Order, null=True, on_delete=models.SET_NULL, related_name="+", editable=False)
    """The order that uses it; null after that order released it."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["voucher", "person"], name="voucher_person")]

    def __str__(self) -> str:
        return self.person


class PriceCurrency(BaseModel):
    """The currency of all prices, which CURRENCY must name as long as there are any. One row."""

    only = models.CharField(max_length=6, default="prices", unique=True, editable=False)
    currency = models.CharField(max_length=3)

    def __str__(self) -> str:
        return self.currency
