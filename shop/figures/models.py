"""Sums over orders, kept by day. The orders are the truth: these rows can be made from them at any time."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel
from shop.models import Order


class Figure(BaseModel):
    """What was ordered, sold and refunded on one day in one currency: of everything, or of one coin, product or category."""

    class Of(models.TextChoices):
        ALL = "all", _("All")
        COIN = "coin", _("Coin")
        PRODUCT = "product", _("Product")
        CATEGORY = "category", _("Category")

    day = models.DateField()
    """In the shop's time zone."""
    currency = models.CharField(max_length=3)
    of = models.CharField(max_length=8, choices=Of)
    key = models.CharField(max_length=64, blank=True)
    """The coin's code, the product's SKU, the category's id, or nothing."""
    name = models.CharField(max_length=160, blank=True)
    """Of a product, as it was first sold that day: it may be deleted since."""
    placed = models.IntegerField(default=0)
    orders = models.IntegerField(default=0)
    """Those that were paid."""
    units = models.IntegerField(default=0)
    revenue_minor = models.BigIntegerField(default=0)
    refunds = models.IntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["of", "currency", "day", "key"], name="figure_of_day")]
        indexes = [models.Index(fields=["day", "id"], name="figure_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.currency} {self.of} {self.key}"


class CountedOrder(BaseModel):
    """What an order has added to the figures, so that it can be taken out again when the order changes."""

    order = models.OneToOneField(Order, on_delete=models.CASCADE, related_name="+")
    sale = models.JSONField()
    """A shop.figures.sales.Sale."""

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.order_id)


class FigureState(BaseModel):
    """The one row that all who write figures write first, so that one of them works at a time."""

    only = models.CharField(max_length=7, default="figures", unique=True)
    turn = models.PositiveBigIntegerField(default=0)
    """Raised by each writer: MongoDB notices no conflict about a row that stays the same."""
    is_recounting = models.BooleanField(default=False)
    """The figures are being emptied, so nobody may count until that has ended."""

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.only
