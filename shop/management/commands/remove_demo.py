from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand

from shop.demo.removing import remove_demo
from shop.models import Product


class Command(BaseCommand):
    help = "Remove the demo products and their pictures. What staff changed, and what was ordered or rated, stays."

    def handle(self, *args: Any, **options: Any) -> None:
        found = remove_demo()
        self.stdout.write(f"Demo products removed: {len(found.untouched)}.")
        self._tell("Kept, because staff changed them", found.changed)
        self._tell("Kept, because they were ordered or rated", found.used)

    def _tell(self, words: str, products: Sequence[Product]) -> None:
        if products:
            self.stdout.write(f"{words} ({len(products)}): {', '.join(product.name for product in products)}.")
