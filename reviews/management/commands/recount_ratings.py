from typing import Any

from django.core.management.base import BaseCommand

from reviews.ratings import recount


class Command(BaseCommand):
    help = "Compare each product's rating with its approved reviews, and correct it. The shop does this every night."

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = len(recount())
        self.stdout.write(f"Corrected the ratings of {wrong} products." if wrong else "All ratings are right.")
