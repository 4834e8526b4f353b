from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shop.catalogue.changes import rebuild_search
from shop.models import Product
from shop.search.base import IndexBusy, SearchUnavailable


class Command(BaseCommand):
    help = "Rebuild the search index from all listed products. The old index serves until the new one is complete."

    def handle(self, *args: Any, **options: Any) -> None:
        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as progress:
            bar = progress.add_task("Products", total=Product.objects.listed().count())
            try:
                count = rebuild_search(lambda more: progress.advance(bar, more))
            except IndexBusy as error:
                raise CommandError("Another process writes to the search index. Try again in a moment.") from error
            except SearchUnavailable as error:
                advice = "The old index was not changed: start it or correct ELASTICSEARCH_URL, then try again."
                raise CommandError(f"{error}. {advice}") from error
        self.stdout.write(f"{count} products can be found.")
