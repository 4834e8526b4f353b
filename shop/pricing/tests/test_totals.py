from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptons.money import MAX_MINOR, format_fiat, parse_fiat
from shop.models import MAX_QUANTITY
from shop.pricing.totals import Discount, totals


@dataclass(frozen=True)
class Line:
    price_minor: int
    quantity: int = 1


carts = st.lists(st.builds(Line, st.integers(0, MAX_MINOR), st.integers(1, MAX_QUANTITY)), max_size=20)
places = st.none() | st.frozensets(st.integers(0, 19))
percents = st.builds(Discount, percent=st.integers(1, 100), lines=places)
amounts = st.builds(Discount, amount_minor=st.integers(1, MAX_MINOR), lines=places)


def test_lines_add_up():
    answer = totals([Line(1999, 2), Line(500)])

    assert (answer.subtotal_minor, answer.discount_minor, answer.total_minor) == (4498, 0, 4498)
    assert [line.total_minor for line in answer.lines] == [3998, 500]


def test_a_percentage_is_rounded_for_each_line_halves_up():
    """10 % of 0.05 is half a cent."""
    answer = totals([Line(5), Line(5), Line(4)], Discount(percent=10))

    assert [line.discount_minor for line in answer.lines] == [1, 1, 0]
    assert answer.total_minor == 12


def test_an_amount_is_split_in_proportion_and_given_whole():
    answer = totals([Line(1000), Line(1000), Line(1000)], Discount(amount_minor=1000))

    assert [line.discount_minor for line in answer.lines] == [333, 333, 334]
    assert answer.total_minor == 2000


def test_a_discount_takes_nothing_off_lines_that_it_is_not_for():
    lines = [Line(1000), Line(2000, 2), Line(1000)]

    assert [line.discount_minor for line in totals(lines, Discount(percent=50, lines=frozenset({1}))).lines] == [0, 2000, 0]
    assert [line.discount_minor for line in totals(lines, Discount(amount_minor=9999, lines=frozenset({0, 2}))).lines] == [1000, 0, 1000]


@given(lines=carts, discount=st.none() | percents | amounts)
def test_lines_less_discounts_are_always_the_total(lines, discount):
    answer = totals(lines, discount)

    assert answer.subtotal_minor == sum(line.price_minor * line.quantity for line in lines)
    assert sum(line.total_minor for line in answer.lines) == answer.total_minor == answer.subtotal_minor - answer.discount_minor
    assert all(0 <= line.discount_minor <= line.subtotal_minor for line in answer.lines)


@given(lines=carts, discount=percents)
def test_a_percentage_is_never_more_than_half_a_unit_off_on_a_line(lines, discount):
    for place, line in enumerate(totals(lines, discount).lines):
        is_for_it = discount.lines is None or place in discount.lines
        exact = Fraction(line.subtotal_minor * discount.percent, 100) if is_for_it else 0
        assert abs(line.discount_minor - exact) <= Fraction(1, 2)


@given(lines=carts, discount=amounts)
def test_an_amount_is_taken_off_whole_unless_the_lines_cost_less(lines, discount):
    answer = totals(lines, discount)

    bases = [line.subtotal_minor for place, line in enumerate(answer.lines) if discount.lines is None or place in discount.lines]
    assert answer.discount_minor == min(discount.amount_minor, sum(bases))


@pytest.mark.parametrize(
    ("currency", "price", "percent", "total"),
    [("JPY", "999", 15, "849"), ("EUR", "19.99", 15, "16.99"), ("KWD", "1.999", 15, "1.699")],
)
def test_amounts_are_rounded_to_the_smallest_unit_of_the_currency(currency, price, percent, total):
    answer = totals([Line(parse_fiat(price, currency))], Discount(percent=percent))

    assert format_fiat(answer.total_minor, currency) == total
