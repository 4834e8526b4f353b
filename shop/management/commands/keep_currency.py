from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand
from django.db.models import Q

from shop.models import Order, PriceCurrency, Product, Voucher


class Command(BaseCommand):
    help = "Remember the currency of the prices, and refuse another one as long as there are any. Each start does it."

    def handle(self, *args: Any, **options: Any) -> None:
        kept = known_currency()
        has_prices = Product.objects.exists() or Voucher.objects.filter(Q(amount_minor__gt=0) | Q(minimum_minor__gt=0)).exists()
        if has_prices and kept not in ("", settings.CURRENCY):
            raise ImproperlyConfigured(
                f"CURRENCY must stay {kept}: all prices and vouchers of this shop are numbers of that currency, and would mean other "
                f"amounts in {settings.CURRENCY}. Set CURRENCY={kept}. Or start once with it, delete all products, and all vouchers with "
                "an amount or a minimum, in the admin, and then change it."
            )
        if kept != settings.CURRENCY or not PriceCurrency.objects.exists():
            PriceCurrency.objects.update_or_create(only="prices", defaults={"currency": settings.CURRENCY})


def known_currency() -> str:
    """Return the currency that was kept; in a shop of before, that of its last order; "" if nothing tells."""
    kept = PriceCurrency.objects.first()
    last = None if kept else Order.objects.order_by("-created_at").first()
    return kept.currency if kept else last.currency if last else ""
