from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from payments.networks.registry import is_sandbox
from shop.catalogue.version import catalogue_changed
from shop.demo.loading import GOODS, load, load_more
from shop.models import Product


class Command(BaseCommand):
    help = "Fill the shop with demo products and their pictures. Products that exist already, by their SKU, stay as they are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--products", type=int, default=len(GOODS), metavar="N", help=f"how many in all (default and least: {len(GOODS)})"
        )
        parser.add_argument("--if-empty", action="store_true", help="do nothing if the shop has a product already, or takes real money")

    def handle(self, *args: Any, products: int, if_empty: bool, **options: Any) -> None:
        if if_empty and (Product.objects.exists() or not is_sandbox()):
            return
        more = products - len(GOODS)
        if more < 0:
            raise CommandError(f"--products must be {len(GOODS)} or more.")
        self.stdout.write("Loading the demo catalogue")
        self.stdout.flush()
        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as progress:
            bar = progress.add_task("Demo products", total=products)
            new = load(lambda count: progress.advance(bar, count))
            new += load_more(more, lambda count: progress.advance(bar, count))
        if new:
            catalogue_changed()
            try:
                call_command("rebuild_search", stdout=self.stdout)
            except CommandError as error:  # the shop opens without it: the sweep builds the index as soon as it can
                self.stderr.write(f"The database searches until the search engine is ready. {error}")
        self.stdout.write(f"{new} demo products are new, {products - new} were there.")
