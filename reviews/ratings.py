"""The rating that a product carries: the average and the number of its approved reviews.

It is counted from the rows each time, so it is right after any sequence of changes. Who writes a review calls `rate` in that transaction.
"""

from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from uuid import UUID

from django.db.models import Count, F, Sum
from django.utils import timezone

from cryptons.db import in_transaction
from reviews.models import Review
from shop.catalogue.changes import product_changed
from shop.models import Product

Rating = tuple[int, Decimal]
"""Count and average."""


def rate(product_id: UUID) -> bool:
    """Write the product's rating and renew what shows it, in the caller's transaction. Returns whether the stored one was another.

    The first write is what keeps two at once right: the second waits for the first's commit, or is repeated, and counts its review too.
    """
    product = Product.objects.filter(pk=product_id)
    if not product.update(rating_count=F("rating_count") + 1):
        return False
    count, average = _count_all(product_id).get(product_id, (0, Decimal(0)))
    before = product.values_list("rating_count", "rating_average").get()
    product.update(rating_count=count, rating_average=average, updated_at=timezone.now())
    product_changed([product_id])
    return before != (count + 1, average)


def recount() -> list[UUID]:
    """Correct each product whose rating is not that of its approved reviews. Returns those products."""
    counted = _count_all()
    stored = Product.objects.filter(rating_count__gt=0).values_list("pk", "rating_count", "rating_average")
    kept: dict[UUID, Rating] = {pk: (count, average) for pk, count, average in stored}
    suspects = sorted(pk for pk in counted.keys() | kept.keys() if counted.get(pk) != kept.get(pk))
    return [pk for pk in suspects if in_transaction(partial(rate, pk))]


def _count_all(*product_ids: UUID) -> dict[UUID, Rating]:
    """Count the approved reviews of these products, or of all."""
    published = Review.objects.published().order_by()
    if product_ids:
        published = published.filter(product_id__in=product_ids)
    counted = published.values("product_id").annotate(count=Count("pk"), total=Sum("rating"))
    return {row["product_id"]: (row["count"], _average(row["total"], row["count"])) for row in counted}


def _average(total: int, count: int) -> Decimal:
    return (Decimal(total) / count).quantize(Decimal("0.01"), ROUND_HALF_UP)
