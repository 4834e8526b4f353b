from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShopConfig(AppConfig):
    name = "shop"
    verbose_name = _("Shop")

    def ready(self) -> None:
        from cryptons.api.errors import translate
        from payments import subject
        from shop import errors
        from shop.cart import merging  # noqa: F401 (the receivers connect)
        from shop.orders.subject import OrderSubject

        subject.register(OrderSubject())
        translate(errors.ShopError, 409, "CONFLICT")
        translate(errors.OutOfStock, 409, "INSUFFICIENT_STOCK")
        translate(errors.IllegalTransition, 409, "ILLEGAL_TRANSITION")
        translate(errors.CartBlocked, 400, "VALIDATION_ERROR")
        translate(errors.OutOfRange, 400, "VALIDATION_ERROR")
