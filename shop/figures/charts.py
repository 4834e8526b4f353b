"""The chart of a period's days. All lengths are whole units of its own; the page stretches it to its width."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from shop.figures.reading import Amounts, Part

HEIGHT = 1_000
STEP, GAP = 10, 2
LEAST = 12
"""The height of the smallest amount, so that it can be seen."""


@dataclass(frozen=True)
class Bar:
    day: date
    amounts: Amounts
    x: int
    revenue: int
    refunded: int
    """Heights above and below the line."""
    line: int

    @property
    def top(self) -> int:
        return self.line - self.revenue

    @property
    def width(self) -> int:
        return STEP - GAP

    @property
    def is_empty(self) -> bool:
        return self.amounts == Amounts(self.amounts.currency)


@dataclass(frozen=True)
class Chart:
    """Bars of revenue above a line, and of refunds below it."""

    bars: Sequence[Bar]
    width: int
    line: int
    most_minor: int
    """The revenue of the best day."""

    height = HEIGHT


def chart_of(days: Sequence[Part]) -> Chart:
    most = max(day.amounts.revenue_minor for day in days)
    most_refunded = max(day.amounts.refunded_minor for day in days)
    whole = most + most_refunded or 1
    line = most * (HEIGHT - 2 * LEAST) // whole + LEAST

    def height(minor: int) -> int:
        return max(LEAST, minor * (HEIGHT - 2 * LEAST) // whole) if minor > 0 else 0

    bars = [
        Bar(
            date.fromisoformat(day.key),
            day.amounts,
            number * STEP + GAP // 2,
            height(day.amounts.revenue_minor),
            height(day.amounts.refunded_minor),
            line,
        )
        for number, day in enumerate(days)
    ]
    return Chart(bars, len(bars) * STEP, line, most)


def percent_of(part: int, most: int) -> int:
    """Return the length of a bar among others, in percent of the longest."""
    return max(1, part * 100 // most) if part > 0 and most > 0 else 0
