"""Votes for reviews that have helped."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import F
from django.db.models.signals import post_delete
from django.utils.translation import gettext as _

from accounts.models import User
from cryptons.db import in_transaction
from reviews.errors import AlreadyVoted, OwnReview
from reviews.models import HelpfulVote, Review
from shop.catalogue.version import products_changed


def vote(user: User, review: Review) -> None:
    """Count the user's vote. Raises AlreadyVoted, OwnReview; Review.DoesNotExist if the review has just been deleted."""
    if review.user_id == user.pk:
        raise OwnReview(_("You cannot vote for your own review."))
    try:
        in_transaction(partial(_create, user, review))
    except IntegrityError:
        if HelpfulVote.objects.filter(user=user, review=review).exists():
            raise AlreadyVoted(_("You have voted for this review already.")) from None
        raise


def take_vote_back(user: User, review: Review) -> bool:
    """Return whether there was a vote."""
    return bool(in_transaction(HelpfulVote.objects.filter(user=user, review=review).delete)[0])


def follow_deletions() -> None:
    """Count again when a vote is deleted: taken back, or with its user."""
    post_delete.connect(_follow, sender=HelpfulVote, dispatch_uid="votes.follow")


def _create(user: User, review: Review) -> None:
    if not Review.objects.filter(pk=review.pk).update(helpful_votes=F("helpful_votes") + 1):  # a deletion waits for this write
        raise Review.DoesNotExist
    HelpfulVote.objects.create(user=user, review=review)
    _count(review.pk)


def _follow(instance: HelpfulVote, **_: Any) -> None:
    in_transaction(partial(_count, instance.review_id))


def _count(review_id: UUID) -> None:
    """Count the votes from their rows. As with `ratings.rate`, the first write keeps two at once right."""
    review = Review.objects.filter(pk=review_id)
    if review.update(helpful_votes=F("helpful_votes") + 1):
        review.update(helpful_votes=HelpfulVote.objects.filter(review_id=review_id).count())
        product_id, slug = review.values_list("product_id", "product__slug").get()
        products_changed([str(product_id), slug])
