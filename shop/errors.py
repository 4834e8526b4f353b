"""Errors that the shop raises on purpose. None knows HTTP; each text is written for the person who meets it."""

from collections.abc import Sequence
from dataclasses import dataclass


class ShopError(Exception):
    """The family."""


@dataclass(frozen=True)
class Shortage:
    """A product of which less is left than somebody wants."""

    name: str
    left: int
    in_cart: int = 0
    """How many the cart already had when more were asked for."""

    def __str__(self) -> str:
        if self.left <= 0:
            return f"{self.name} is sold out."
        verb = "is" if self.left == 1 else "are"
        already = f"; your cart has {self.in_cart} already" if self.in_cart else ""
        return f"Only {self.left} of {self.name} {verb} left{already}."


class OutOfStock(ShopError):
    """Less is left than is wanted. Take fewer, or wait for more."""

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        super().__init__(" ".join(str(shortage) for shortage in shortages))
        self.shortages = tuple(shortages)


class NotSold(ShopError):
    """The product is not, or no longer, on sale."""


class CartFull(ShopError):
    """More different products than one cart may hold."""


class CartBlocked(ShopError):
    """The cart cannot be ordered as it is: empty, or something in it must be looked at first."""


class CartChanged(ShopError):
    """A price or the cart is no longer what the buyer agreed to. Show it and ask again."""


class OutOfRange(ShopError):
    """The order's total is more than the shop, or less than the network, can take."""


class IllegalTransition(ShopError):
    """The order cannot go there from where it is."""


class OnHold(IllegalTransition):
    """Nothing of this order may ship until its hold is cleared."""


class OrderMoved(ShopError):
    """Somebody else changed the order first: look at it again and retry."""
