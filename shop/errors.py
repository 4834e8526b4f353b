"""Errors that the shop raises on purpose. None of them knows HTTP; the text of each is a sentence for the person who reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


class ShopError(Exception):
    """The base of all errors of the shop."""


@dataclass(frozen=True)
class Shortage:
    """A product of which fewer are left than were asked for."""

    name: str
    left: int
    in_cart: int = 0
    """How many were in the cart already when more were asked for."""
    product_id: UUID | None = None
    """None: the product was deleted."""

    def __str__(self) -> str:
        if self.left <= 0:
            return _("%(product)s is sold out.") % {"product": self.name}
        values = {"left": self.left, "product": self.name, "in_cart": self.in_cart}
        if not self.in_cart:
            return ngettext("Only %(left)s of %(product)s is left.", "Only %(left)s of %(product)s are left.", self.left) % values
        message = ngettext(
            "Only %(left)s of %(product)s is left; your cart has %(in_cart)s already.",
            "Only %(left)s of %(product)s are left; your cart has %(in_cart)s already.",
            self.left,
        )
        return message % values


class OutOfStock(ShopError):
    """Fewer are left than were asked for. Take fewer, or wait for more."""

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        super().__init__(" ".join(str(shortage) for shortage in shortages))
        self.shortages = tuple(shortages)


class NotSold(ShopError):
    """The product is not, or no longer, on sale."""


class CartFull(ShopError):
    """The cart holds as many different products as it can. Order these first."""


class TooManyUnits(ShopError):
    """The visitor's unpaid orders would reserve too much of a product. Order fewer, or pay first."""


class CartBlocked(ShopError):
    """The cart cannot be ordered as it is: it is empty, or a line in it must be changed first."""


class CartChanged(ShopError):
    """A price or the cart is no longer what the buyer agreed to. Show the new one and ask again."""


class OutOfRange(ShopError):
    """The order's total is more than the shop can take, or less than the network can carry."""


class TermsNotAccepted(ShopError):
    """The buyer has not accepted the shop's terms. Show them and ask again."""


class TermsChanged(ShopError):
    """The buyer has accepted a version of the terms that is no longer shown. Show the new one and ask again."""


class VoucherRefused(ShopError):
    """The voucher cannot be used for this order, now or at all. Use another one, or none."""


class IllegalTransition(ShopError):
    """The order's status does not allow this change."""


class OnHold(IllegalTransition):
    """The order must not ship until its hold is released."""


class ReasonNeeded(IllegalTransition):
    """The order is not safely paid: give a reason to move it on."""


class OrderMoved(ShopError):
    """Another process changed the order first: read it again and retry."""
