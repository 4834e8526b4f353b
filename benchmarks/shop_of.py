"""Make a shop of any size in a temporary folder within seconds: plain products, no pictures."""

import os
import tempfile
from pathlib import Path


def prepare(folder: Path | None = None) -> Path:
    """Configure Django for benchmarks. Call it before anything of Django is imported. Returns the data folder."""
    folder = folder or Path(tempfile.mkdtemp(prefix="cryptons-bench-"))
    os.environ.update(
        DATA_DIR=str(folder),
        CRYPTONS_DOTENV="off",
        SECRET_KEY="only-for-measuring-" + "x" * 40,
        SANDBOX="true",
        DEBUG="false",
        LOG_LEVEL="ERROR",
        RATE_LIMIT_API="1000000000/minute",
        RATE_LIMIT_CART="1000000000/minute",
        RATE_LIMIT_CHECKOUT="1000000000/minute",
        RATE_LIMIT_ORDER_MAILS="1000000000/minute",
        UNPAID_ORDERS="0",
        DJANGO_SETTINGS_MODULE="cryptons.settings",
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    return folder


NAMES = ("Copper", "Oak", "Linen", "Steel", "Walnut", "Brass", "Wool", "Cork", "Slate", "Ash")
THINGS = ("Kettle", "Lamp", "Chair", "Board", "Knife", "Pen", "Notebook", "Tent", "Flask", "Wallet")


def fill(count: int) -> None:
    """Create `count` products in twenty subcategories of five categories, and build their search index."""
    from django.utils import timezone

    from shop.catalogue.changes import rebuild_search
    from shop.models import Category, Product

    leaves = []
    for top in range(5):
        parent = Category.objects.create(name=f"Department {top}", slug=f"department-{top}")
        leaves += [Category.objects.create(name=f"Shelf {top}.{n}", slug=f"shelf-{top}-{n}", parent=parent) for n in range(4)]
    now = timezone.now()
    Product.objects.bulk_create(
        [
            Product(
                name=f"{NAMES[n % 10]} {THINGS[n // 10 % 10]} {n}",
                slug=f"product-{n}",
                sku=f"SKU-{n:06}",
                description="Made to last, of good material, by people who know how. " * 3,
                price_minor=500 + n * 37 % 100_000,
                category=leaves[n % len(leaves)],
                stock=n % 50,
                created_at=now,
                updated_at=now,
            )
            for n in range(count)
        ],
        batch_size=1000,
    )
    rebuild_search()
