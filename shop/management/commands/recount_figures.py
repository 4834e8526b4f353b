from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from shop.figures.counting import count_orders
from shop.figures.recounting import RecountReplaced, differences, recount


class Command(BaseCommand):
    help = (
        "Count all orders again for the figures of the admin's home and the API. Needed when the nightly check has found a difference, and "
        "after a change of TIME_ZONE. The shop can stay open."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing, list what differs, and end with 1 if anything does")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if not check:
            try:
                self.stdout.write(f"{recount()} orders were counted.")
            except RecountReplaced as error:
                raise CommandError("Another recount was begun after this one, and counts all orders.") from error
            return
        count_orders(most_batches=None)
        found = differences()
        for difference in found:
            self.stdout.write(str(difference))
        if found:
            raise SystemExit(1)
        self.stdout.write("The figures are what the orders say.")
