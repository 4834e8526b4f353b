"""CSV that opens in a spreadsheet as what it is, and runs nothing."""

import csv
import io
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptons.csv_lines import INCOMPLETE, LINES_AT_ONCE, csv_download, csv_lines, safe_cell


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")', "-", "--1", "-1e5", "+5"]
)
def test_a_cell_that_looks_like_a_formula_gets_an_apostrophe(formula):
    assert safe_cell(formula) == f"'{formula}"


@pytest.mark.parametrize("plain", ["", "0", "-1", "-12.50", "1=1", "order_7K3M9", "a@b.c", "'=1"])
def test_numbers_and_words_are_written_unchanged(plain):
    assert safe_cell(plain) == plain


def test_times_are_written_in_utc_and_none_as_an_empty_cell():
    berlin = timezone(timedelta(hours=2))
    row = [datetime(2026, 11, 1, 1, 30, 5, 999, tzinfo=berlin), None, 0, Decimal("1.50")]
    assert list(csv_lines([row])) == ["2026-10-31T23:30:05Z,,0,1.50\r\n"]


def test_each_line_is_returned_before_the_next_row_is_read():
    def rows():
        yield ["a", 1]
        raise AssertionError("The second row was asked for too soon.")

    assert next(csv_lines(rows())) == "a,1\r\n"


@pytest.mark.parametrize(("rows", "says_so"), [(LINES_AT_ONCE, [False, True]), (0, [])])
def test_a_download_that_fails_after_its_first_lines_says_at_its_end_that_it_is_incomplete(rows, says_so):
    def failing():
        yield from ([number] for number in range(rows))
        raise ValueError("a defect")

    got = []
    with pytest.raises(ValueError, match="a defect"):
        got.extend(csv_download("ledger", failing()))  # as far as it comes

    assert [block == INCOMPLETE.encode() for block in got] == says_so


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=4), max_size=5))
def test_every_cell_can_be_read_back_and_none_starts_a_formula(rows):
    read = list(csv.reader(io.StringIO("".join(csv_lines(rows)), newline="")))
    assert [[cell.removeprefix("'") for cell in row] for row in read] == [[cell.removeprefix("'") for cell in row] for row in rows]
    for row in read:
        for cell in row:
            assert not cell.startswith(("=", "+", "@", "\t", "\r", "\n"))
