from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import track

from cryptons.atomic_file import atomic_file
from cryptons.csv_lines import csv_lines
from cryptons.money import format_coin, format_fiat
from payments.accounting.ledger import COLUMNS, LedgerRow, RunningTotals, Totals, ledger, payments_in, payouts_in
from payments.accounting.periods import Period
from payments.management.arguments import add_period


class Command(BaseCommand):
    help = "Write all payments and payouts of a period as CSV, oldest first; say on the standard error what they add up to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period(parser, since="from the very first by default", until="up to now by default")
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="the file to write, which appears once it is complete; else the standard output",
        )

    def handle(self, *args: Any, since: datetime | None, until: datetime | None, network: str, output: Path | None, **options: Any) -> None:
        period, totals = Period(since, until), RunningTotals()
        payments, payouts = payments_in(period, network), payouts_in(period, network)
        rows = totals.over(ledger(payments, payouts))
        if output is None:
            write(rows, self.stdout)
        else:
            total = payments.count() + payouts.count()
            write_file(track(rows, "Rows", total, transient=True, console=Console(stderr=True)), output)
        for line in in_words(totals):
            self.stderr.write(line, str)


def write(rows: Iterable[LedgerRow], to: Any) -> None:
    for line in csv_lines(chain([COLUMNS], (row.cells() for row in rows))):
        to.write(line)


def write_file(rows: Iterable[LedgerRow], file: Path) -> None:
    """Write the file whole or not at all, because half a ledger looks like a whole one. Raises CommandError."""
    try:
        with atomic_file(file, is_durable=True) as part, part.open("w", encoding="utf-8", newline="") as to:
            write(rows, to)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}.") from error


def in_words(totals: RunningTotals) -> list[str]:
    return [f"{totals.count} rows.", *(_line(row) for row in totals.totals())]


def _line(row: Totals) -> str:
    def both(base: int, minor: int) -> str:
        return f"{format_coin(base, row.network)} = {format_fiat(minor, row.currency)} {row.currency}"

    return (
        f"{row.network}: confirmed {both(row.safe_base, row.safe_minor)}, seen {both(row.seen_base, row.seen_minor)}, "
        f"paid out {both(row.paid_out_base, row.paid_out_minor)}, fees {format_coin(row.fees_base, row.network)}"
    )
