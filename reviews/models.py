from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel
from shop.models import Order, Product

LEAST, MOST = 1, 5
"""Stars."""
MAX_COMMENT = 5_000


class ReviewQuerySet(models.QuerySet["Review"]):
    def published(self) -> Self:
        return self.filter(approved=True)

    def waiting(self) -> Self:
        """Select those that nobody has decided about since they were written or changed."""
        return self.filter(approved=False, decided_at=None)

    def rejected(self) -> Self:
        return self.filter(approved=False, decided_at__isnull=False)


class Review(BaseModel):
    """A user's review of a product, at most one per user and product, shown once it is approved."""

    product = models.ForeignKey(Product, verbose_name=_("product"), on_delete=models.CASCADE, related_name="reviews")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, verbose_name=_("user"), on_delete=models.CASCADE, related_name="reviews")
    rating = models.PositiveSmallIntegerField(_("rating"), validators=[MinValueValidator(LEAST), MaxValueValidator(MOST)])
    comment = models.TextField(_("comment"), blank=True)
    approved = models.BooleanField(_("approved"), default=False)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    """When staff approved or rejected it; null while it waits for them."""
    verified_purchase = models.BooleanField(_("verified purchase"), default=False)
    """Whether its author had bought the product when it was written, changed or decided about."""
    helpful_votes = models.PositiveIntegerField(_("helpful votes"), default=0)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(_("written at"), default=timezone.now)
    updated_at = models.DateTimeField(_("changed at"), default=timezone.now)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["product", "user"], name="review_product_user")]
        indexes = [
            models.Index(fields=["product", "approved"], name="review_product_approved"),
            models.Index(fields=["approved", "decided_at", "-created_at"], name="review_queue"),
        ]

    def __str__(self) -> str:
        return gettext("%(stars)s of 5 stars") % {"stars": self.rating}


class HelpfulVote(BaseModel):
    """A user's word that a review has helped, at most one per user and review."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="votes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "user"], name="helpful_vote_review_user")]

    def __str__(self) -> str:
        return str(self.review_id)


class ReviewRequest(BaseModel):
    """An order whose buyer was asked for reviews: the unique index keeps it at one mail an order."""

    order = models.OneToOneField(Order, on_delete=models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.order_id)


class ReviewMailOptOut(BaseModel):
    """A user who does not want to be asked for reviews."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return str(self.user_id)
