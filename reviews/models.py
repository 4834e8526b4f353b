from django.conf import settings
from django.db import models
from django.utils import timezone

from cryptons.db import BaseModel
from shop.models import Product


class Review(BaseModel):
    """A user's review of a product, at most one per user and product, shown once it is approved."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="reviews")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reviews")
    rating = models.PositiveSmallIntegerField()
    comment = models.TextField(blank=True)
    approved = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["product", "user"], name="review_product_user")]
        indexes = [models.Index(fields=["product", "approved"], name="review_product_approved")]

    def __str__(self) -> str:
        return f"{self.rating} of 5"
