"""CSV that any spreadsheet reads (RFC 4180), and in which no cell is run as a formula."""

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


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """One line for each row, as soon as the row is there."""
    line = _Line()
    writer = csv.writer(line)
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
        yield line.text


def safe_cell(value: Any) -> str:
    """Times in UTC; nothing for None; an apostrophe before what a spreadsheet would run, numbers excepted."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(RUN_BY_SPREADSHEETS) and not NUMBER.fullmatch(text) else text


def csv_download(name: str, rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A file of that name, sent while its rows are still being read."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(_blocks(csv_lines(rows)), content_type="text/csv; charset=utf-8", headers=headers)


def _blocks(lines: Iterator[str]) -> Iterator[str]:
    return map("".join, chunks(lines, LINES_AT_ONCE))


class _Line:
    """What csv.writer writes to."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text
