from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand

from shop.models import Order, PriceCurrency, Product


class Command(BaseCommand):
    help = "Remember the currency of the prices, and refuse another one as long as there are products. Each start does it."

    def handle(self, *args: Any, **options: Any) -> None:
        has_prices, kept = Product.objects.exists(), known_currency()
        if has_prices and kept not in ("", settings.CURRENCY):
            raise ImproperlyConfigured(
                f"CURRENCY must stay {kept}: all prices of this shop are numbers of that currency, and would mean other amounts in "
                f"{settings.CURRENCY}. Set CURRENCY={kept}. Or start once with it, delete all products in the admin, and then change it."
            )
        if kept != settings.CURRENCY or not PriceCurrency.objects.exists():
            PriceCurrency.objects.update_or_create(only="prices", defaults={"currency": settings.CURRENCY})


def known_currency() -> str:
    """Return the currency that was kept; in a shop of before, that of its last order; "" if nothing tells."""
    kept = PriceCurrency.objects.first()
    last = None if kept else Order.objects.order_by("-created_at").first()
    return kept.currency if kept else last.currency if last else ""
