"""What an order costs: one pure function, which the cart, the checkout, the API's quote and the order ask.

All amounts are minor units of one currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol


class Priced(Protocol):
    """A line of a cart."""

    @property
    def price_minor(self) -> int: ...
    @property
    def quantity(self) -> int: ...


@dataclass(frozen=True)
class Discount:
    """So many percent off each line, or an amount off all of them together; never more than they cost."""

    percent: int = 0
    amount_minor: int = 0
    lines: frozenset[int] | None = None
    """The places of the lines that it is for; None for all."""


@dataclass(frozen=True)
class LineTotals:
    subtotal_minor: int
    discount_minor: int = 0

    @property
    def total_minor(self) -> int:
        return self.subtotal_minor - self.discount_minor


@dataclass(frozen=True)
class Totals:
    lines: tuple[LineTotals, ...]

    @cached_property
    def subtotal_minor(self) -> int:
        """The price of all lines before discounts."""
        return sum(line.subtotal_minor for line in self.lines)

    @cached_property
    def discount_minor(self) -> int:
        return sum(line.discount_minor for line in self.lines)

    @property
    def total_minor(self) -> int:
        """What the buyer pays."""
        return self.subtotal_minor - self.discount_minor


def totals(lines: Sequence[Priced], discount: Discount | None = None) -> Totals:
    """Add up the lines. A percentage is rounded for each line, halves up; an amount is split in proportion to the lines' prices."""
    subtotals = [line.price_minor * line.quantity for line in lines]
    if discount is None:
        return Totals(tuple(map(LineTotals, subtotals)))
    bases = [subtotal if discount.lines is None or place in discount.lines else 0 for place, subtotal in enumerate(subtotals)]
    if discount.percent:
        taken = [(base * discount.percent + 50) // 100 for base in bases]
    else:
        taken = _split(min(discount.amount_minor, sum(bases)), bases)
    return Totals(tuple(map(LineTotals, subtotals, taken)))


def _split(amount_minor: int, bases: Sequence[int]) -> list[int]:
    """Split the amount in proportion to these values, so that the parts add up to it and none is greater than its value."""
    whole, parts, passed, given = sum(bases) or 1, [], 0, 0
    for base in bases:
        passed += base
        part = amount_minor * passed // whole - given
        parts.append(part)
        given += part
    return parts
