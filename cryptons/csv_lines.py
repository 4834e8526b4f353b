"""CSV that any spreadsheet can read (RFC 4180), and in which no cell is run as a formula."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.http import StreamingHttpResponse

from cryptons.chunks import chunks

RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n")
LINES_AT_ONCE = 200
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
INCOMPLETE = "This file is incomplete: an error ended it here. Download it again.\r\n"
"""The last line of a download that fails halfway. In English, as the columns; a program that expects their number stops at it."""


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield one CSV line for each row, as soon as the row is read."""
    line = _Line()
    writer = csv.writer(line)
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
        yield line.text


def safe_cell(value: Any) -> str:
    """Write a cell: times in UTC, None as an empty text, and an apostrophe before text that a spreadsheet would run, except numbers."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(RUN_BY_SPREADSHEETS) and not NUMBER.fullmatch(text) else text


def csv_download(name: str, rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """Return a download of the name, sent while its rows are still being read."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(_blocks(csv_lines(rows)), content_type="text/csv; charset=utf-8", headers=headers)


def _blocks(lines: Iterator[str]) -> Iterator[str]:
    """Join the lines. An error after the first block ends the file with INCOMPLETE: the client would take it for a whole one."""
    has_begun = False
    try:
        for block in chunks(lines, LINES_AT_ONCE):
            yield "".join(block)
            has_begun = True
    except Exception:  # a lost database or a defect: the file ends with a line that says so, and the error goes on to the log
        if has_begun:
            yield INCOMPLETE
        raise


class _Line:
    """A file for csv.writer that keeps the last line."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text
