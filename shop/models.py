from __future__ import annotations

import secrets
import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from cryptons.db import BaseModel

MAX_QUANTITY = 1_000_000
"""Of one product in a cart."""
LOW_STOCK = 5
"""Up to so many are told as "Only 3 left"."""


class Category(BaseModel):
    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=80, unique=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:category", args=[self.slug])


class ProductQuerySet(models.QuerySet["Product"]):
    def listed(self) -> Self:
        return self.filter(is_listed=True)

    def in_stock(self) -> Self:
        return self.filter(stock__gt=0)


class Product(BaseModel):
    name = models.CharField(max_length=160)
    slug = models.SlugField(max_length=180, unique=True)
    sku = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True)
    price_minor = models.BigIntegerField(help_text="In the currency's smallest unit: 1999 is 19.99.")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    stock = models.IntegerField(default=0)
    is_listed = models.BooleanField(default=True, help_text="Shown in the shop and sold.")
    rating_average = models.DecimalField(max_digits=3, decimal_places=2, default=0)
    rating_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["category", "price_minor"], name="product_category_price"),
            models.Index(fields=["-created_at"], condition=models.Q(is_listed=True), name="product_listed_newest"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:product", args=[self.slug])

    @property
    def picture(self) -> ProductImage | None:
        """The first one; no query where the images were prefetched."""
        return next(iter(self.images.all()), None)

    @property
    def is_low(self) -> bool:
        return 0 < self.stock <= LOW_STOCK

    @property
    def stock_words(self) -> str:
        if self.stock <= 0:
            return "Sold out"
        return f"Only {self.stock} left" if self.is_low else "In stock"


class ProductImage(BaseModel):
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="images")
    file = models.ImageField(upload_to="products/%Y/%m")
    thumbnail = models.ImageField(upload_to="products/%Y/%m", blank=True, editable=False)
    alt = models.CharField(max_length=160, blank=True, help_text="What the picture shows, for those who cannot see it.")
    width = models.PositiveIntegerField(default=0, editable=False)
    height = models.PositiveIntegerField(default=0, editable=False)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.alt or str(self.file)

    @property
    def small_url(self) -> str:
        return (self.thumbnail or self.file).url


class Cart(BaseModel):
    """What somebody means to buy: a user's one cart, or a guest's, whose id stands in the session."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="cart")
    updated_at = models.DateTimeField(default=timezone.now, db_index=True)


class CartItem(BaseModel):
    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, null=True, on_delete=models.SET_NULL, related_name="+")
    """Null once the product was deleted: the buyer is told so instead of wondering."""
    name = models.CharField(max_length=160)
    quantity = models.PositiveIntegerField()
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["added_at"]
        constraints = [models.UniqueConstraint(fields=["cart", "product"], name="cart_item_product")]


def new_order_number() -> str:
    """Ten letters and digits that are hard to mistake for one another: `7K3M9-2QFXA`."""
    letters = "".join(secrets.choice("23456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"


def new_access_token() -> str:
    return secrets.token_urlsafe(24)


class OrderQuerySet(models.QuerySet["Order"]):
    def to_ship(self) -> Self:
        return self.filter(status=Order.Status.PROCESSING, on_hold=False)

    def on_hold(self) -> Self:
        return self.filter(on_hold=True)


class Order(BaseModel):
    class Status(models.TextChoices):
        PENDING = "pending"
        PROCESSING = "processing"
        SHIPPED = "shipped"
        DELIVERED = "delivered"
        CANCELLED = "cancelled"

    class PaymentStatus(models.TextChoices):
        UNPAID = "unpaid", "Not paid yet"
        PENDING = "pending", "Payment seen"
        CONFIRMING = "confirming", "Confirming"
        PAID = "paid", "Paid"
        UNDERPAID = "underpaid", "Paid in part"
        OVERPAID = "overpaid", "Overpaid"
        LATE = "late", "Paid late"
        EXPIRED = "expired", "Time ran out"
        REFUNDED = "refunded", "Refunded"

    number = models.CharField(max_length=20, unique=True, default=new_order_number)
    access_token = models.CharField(max_length=64, unique=True, default=new_access_token, editable=False)
    """Who holds it may see the order: the guest's link."""
    checkout_token = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    """Places one order at most, however often a request is sent: its unique index is written with the order itself.

    The checkout's review page carries a random one; the API makes it of the Idempotency-Key. `cryptons.IdempotentRequest` is another thing:
    it keeps the API's answers for 24 hours, so that a repeat gets the same bytes.
    """
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="orders")
    email = models.EmailField()
    language = models.CharField(max_length=10, blank=True, default="")
    """In which the buyer ordered, for their mails; empty: the shop's first one."""
    network = models.CharField(max_length=10, help_text="The code of the coin that the buyer chose, such as BTC.")
    status = models.CharField(max_length=12, choices=Status, default=Status.PENDING)
    payment_status = models.CharField(max_length=12, choices=PaymentStatus, default=PaymentStatus.UNPAID)
    on_hold = models.BooleanField(default=False)
    hold_reason = models.CharField(max_length=200, blank=True)
    """Why nothing may ship although the order is paid, for staff."""
    holds_stock = models.BooleanField(default=False)
    """Whether the lines' quantities are taken out of the products' stock. Flips by conditional update only."""
    total_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    transaction_hash = models.CharField(max_length=128, blank=True)
    shipping_address = models.JSONField(default=dict)
    note = models.TextField(blank=True, help_text="For staff only.")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="order_user_newest"),
            models.Index(fields=["status", "on_hold"], name="order_work"),
            models.Index(fields=["updated_at"], condition=models.Q(on_hold=True), name="order_held"),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(BaseModel):
    """What was bought, copied from the product at that moment."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, null=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=160)
    sku = models.CharField(max_length=64)
    price_minor = models.BigIntegerField()
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def total_minor(self) -> int:
        return self.price_minor * self.quantity
