from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from shop.errors import OutOfStock


def shortage_rows(error: "OutOfStock") -> list[dict[str, str]]:
    """Name each product of which too few are left: `{"field": "items.<productId>", "message": "Only 3 of Tin Cup are left."}`."""
    return [{"field": f"items.{shortage.product_id or ''}".rstrip("."), "message": str(shortage)} for shortage in error.shortages]


class ShopConfig(AppConfig):
    name = "shop"
    verbose_name = _("Shop")

    def ready(self) -> None:
        from cryptons.api.errors import translate
        from cryptons.audit.watching import watch
        from payments import subject
        from shop import errors
        from shop.cart import merging  # noqa: F401 (the receivers connect)
        from shop.catalogue import picture_files  # noqa: F401
        from shop.models import Category, Product, ProductImage, Voucher, VoucherGoods
        from shop.orders.subject import OrderSubject

        watch(Product, ("name", "slug", "sku", "description", "price_minor", "category", "stock", "is_listed"))
        watch(Category, ("name", "slug", "parent", "position"))
        terms = ("percent", "amount_minor", "minimum_minor", "starts_at", "ends_at", "most_uses", "is_once_a_person", "is_active")
        watch(Voucher, ("code", *terms))
        watch(VoucherGoods, ("voucher", "product", "category"))
        watch(ProductImage, ("product", "file", "alt", "position"))
        subject.register(OrderSubject())
        translate(errors.ShopError, 409, "CONFLICT")
        translate(errors.OutOfStock, 409, "INSUFFICIENT_STOCK", shortage_rows)
        translate(errors.IllegalTransition, 409, "ILLEGAL_TRANSITION")
        translate(errors.TermsNotAccepted, 400, "VALIDATION_ERROR", lambda error: [{"field": "acceptedTerms", "message": str(error)}])
        translate(errors.CartBlocked, 400, "VALIDATION_ERROR")
        translate(errors.OutOfRange, 400, "VALIDATION_ERROR")
