"""What authors do with their reviews. Each change goes back to staff, who publish it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Q
from django.db.models.signals import post_delete
from django.utils.translation import gettext as _

from accounts.models import User
from cryptons.audit.acting import current_actor
from cryptons.db import in_transaction, now_as_stored, retry_when, update_if_unchanged
from cryptons.events.models import Event, record
from reviews.errors import AlreadyReviewed, ReviewMoved
from reviews.models import Review
from reviews.ratings import rate
from shop.models import Order, OrderLine, Product

SETTLED = (Order.PaymentStatus.PAID, Order.PaymentStatus.OVERPAID)


def has_bought(user_id: UUID, product_id: UUID) -> bool:
    """Return whether a paid or delivered order of the user has the product."""
    lines = OrderLine.objects.filter(product_id=product_id, order__user_id=user_id)
    return lines.filter(Q(order__payment_status__in=SETTLED) | Q(order__status=Order.Status.DELIVERED)).exists()


def submit_review(user: User, product: Product, *, rating: int, comment: str) -> Review:
    """Store a review that waits for staff. Raises AlreadyReviewed."""
    try:
        return in_transaction(partial(_create, user, product, rating, comment))
    except IntegrityError:
        if Review.objects.filter(user=user, product=product).exists():
            raise AlreadyReviewed(_("You have reviewed this product already.")) from None
        raise


def _create(user: User, product: Product, rating: int, comment: str) -> Review:
    at = now_as_stored()
    bought = has_bought(user.pk, product.pk)
    review = Review(user=user, product=product, rating=rating, comment=comment, verified_purchase=bought, created_at=at, updated_at=at)
    review.save(force_insert=True)
    tell("submitted", review)
    return review


def edit_review(review_id: UUID, *, at: datetime, **values: Any) -> Review:
    """Write another `rating` or `comment`, which takes the review out of the shop until staff approve it. Raises Review.DoesNotExist."""

    def act() -> Review | None:
        review = Review.objects.select_related("user").filter(pk=review_id).first()
        if review is not None and any(getattr(review, name) != value for name, value in values.items()):
            bought = has_bought(review.user_id, review.product_id)
            write(review, "updated", **values, approved=False, decided_at=None, verified_purchase=bought, updated_at=at)
        return review

    return rewrite(act)


def rewrite(act: Callable[[], Review | None]) -> Review:
    """Run `act`, which reads a review and calls `write`, in a transaction; again if another process changed the review first.

    Raises Review.DoesNotExist if it returns None.
    """
    review = retry_when(ReviewMoved, lambda: in_transaction(act), failure=_moved())
    if review is None:
        raise Review.DoesNotExist
    return review


def _moved() -> ReviewMoved:
    return ReviewMoved(_("The review was changed by someone else. Look at it again."))


def write(review: Review, event: str, *, actor: str = "", **values: Any) -> None:
    """Write values, event and rating in the caller's transaction. Raises ReviewMoved if the row is not as it was read."""
    if not update_if_unchanged(review, **values):
        raise ReviewMoved
    tell(event, review, actor=actor)
    rate(review.product_id)


def tell(event: str, review: Review, *, actor: str = "", seq: int = 0) -> None:
    """Record the event with the state of the review, in the caller's transaction. Nothing in it says who wrote the review."""
    data = {
        "productId": str(review.product_id),
        "rating": review.rating,
        "approved": review.approved,
        "verifiedPurchase": review.verified_purchase,
    }
    record(f"review.{event}", review.pk, seq=seq or review.version, data=data, actor=actor)


def delete_review(review_id: UUID) -> None:
    """Delete the review with its votes; once more if somebody votes at the same moment."""
    retry_when(IntegrityError, partial(in_transaction, Review.objects.filter(pk=review_id).delete), failure=_moved())


def follow_deletions() -> None:
    """Tell of each review that is deleted, by whom or with what it may be, and rate its product."""
    post_delete.connect(_follow, sender=Review, dispatch_uid="reviews.follow")


def _follow(instance: Review, **_: Any) -> None:
    in_transaction(partial(_tell_deleted, instance))


def _tell_deleted(review: Review) -> None:
    actor = current_actor()
    last = Event.objects.filter(subject_id=review.pk).order_by("-seq").values_list("seq", flat=True).first() or 0
    review.approved = False
    tell("deleted", review, actor=actor.name if actor.is_staff else "", seq=max(last, review.version) + 1)
    rate(review.product_id)
