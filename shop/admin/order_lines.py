"""The goods of an order on its page in the admin, as they were bought."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from cryptons.formats import money
from shop.models import Order, OrderLine


class LineInline(admin.TabularInline[OrderLine, Order]):
    model = OrderLine
    extra = 0
    can_delete = False
    verbose_name_plural = _("Items")
    fields = ("name", "sku", "price", "quantity", "total")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description=_("price"))
    def price(self, line: OrderLine) -> str:
        return money(line.price_minor, line.order.currency)

    @admin.display(description=_("total"))
    def total(self, line: OrderLine) -> str:
        return money(line.total_minor, line.order.currency)
