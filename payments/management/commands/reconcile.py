from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from payments.accounting.comparison import Difference
from payments.accounting.nightly import DAYS
from payments.accounting.payouts import reconcile_payouts
from payments.accounting.periods import Period
from payments.accounting.reconcile import Report, reconcile
from payments.management.arguments import add_period

DIFFERS, UNREAD = 1, 2
"""Exit codes: the first calls for a person, the second may be tried again."""


class Command(BaseCommand):
    help = (
        "Compare the shop's payments with the nodes' records, and the shop's invoices and orders with one another. Changes nothing; "
        "lists every difference. Ends with 1 when there are any, else with 2 when a node's records could not be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period(parser, since="three days before the end by default", until="now by default")

    def handle(self, *args: Any, since: datetime | None, until: datetime | None, network: str, **options: Any) -> None:
        at = timezone.now()
        end = until or at + timedelta(seconds=1)
        period = Period(since or end - DAYS, end)
        if period.since is None or period.since >= end:
            raise CommandError("--since must be before --until.")
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            transient=True,
            console=Console(stderr=True),
        ) as progress:
            bars: dict[str, TaskID] = {}

            def watch(what: str, done: int, total: int) -> None:
                if what not in bars:
                    bars[what] = progress.add_task(what, total=total)
                progress.update(bars[what], completed=done, total=total)

            report = reconcile(period, at=at, network=network, watch=watch)
            watch("Comparing payouts", 0, 1)
            report = merge(report, reconcile_payouts(period, network=network))
        for line in in_words(report, period):
            self.stdout.write(line)
        if report.alarms or report.unread:
            raise SystemExit(DIFFERS if report.alarms else UNREAD)


def merge(money: Report, payouts: Report) -> Report:
    differences = money.differences + payouts.differences
    return replace(money, differences=differences, unread=money.unread | payouts.unread, left_out=money.left_out + payouts.left_out)


def in_words(report: Report, period: Period) -> Iterable[str]:
    yield f"From {period.since:%Y-%m-%d %H:%M} to {period.until:%Y-%m-%d %H:%M} UTC."
    for network, count in report.compared.items():
        yield f"{network}: {count} payment{'' if count == 1 else 's'} in the node's records."
    for network, problem in report.unread.items():
        yield f"{network}: NOT COMPARED. {problem}"
    yield from report.left_out
    if report.alarms:
        count = len(report.alarms)
        yield f"{count} difference{'' if count == 1 else 's'}:"
        yield from table(report.alarms)
    else:
        yield "No differences among what was compared." if report.unread else "No differences."
    if report.notes:
        yield "Money for no invoice, listed for completeness:"
        yield from table(report.notes)


def table(differences: Iterable[Difference]) -> Iterable[str]:
    """Align the columns; the text comes last, because it is long."""
    rows = [(difference.kind.value, difference.network or "shop", difference.subject, difference.text) for difference in differences]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *cells, text in rows:
        yield "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), text])
