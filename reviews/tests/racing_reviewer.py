"""The processes of a race about the reviews of one product: see shop.tests.racing_buyer."""

import time
from typing import Any
from uuid import UUID

from shop.tests.racing_buyer import main  # sets Django up

from accounts.models import User  # isort: skip
from cryptons.db import now_as_stored  # isort: skip
from reviews.errors import AlreadyReviewed, AlreadyVoted  # isort: skip
from reviews.models import Review  # isort: skip
from reviews.moderation import approve_review, reject_review  # isort: skip
from reviews.tests.factories import ReviewFactory  # isort: skip
from reviews.voting import vote  # isort: skip
from reviews.writing import delete_review, submit_review  # isort: skip
from shop.models import Product  # isort: skip
from shop.tests.factories import ProductFactory  # isort: skip


def prepare(ratings: list[int], approved: bool) -> dict[str, Any]:
    """A product with a review for each rating, and a user who has written none."""
    now = time.time_ns()
    product = ProductFactory.create(slug=f"race-{now}", sku=f"RACE-{now}")
    reviews = []
    for number, rating in enumerate(ratings):
        user = User.objects.create(
            username=f"buyer-{now}-{number}", email=f"{now}-{number}@example.com"
        )  # without a password, which takes long
        review = ReviewFactory.create(product=product, user=user, rating=rating)
        if approved:
            approve_review(review.pk, actor="grace", at=now_as_stored())
        reviews.append(str(review.pk))
    other = User.objects.create(username=f"other-{now}", email=f"other-{now}@example.com")
    return {"product": str(product.pk), "reviews": reviews, "other": str(other.pk)}


def act(name: str, review: str, at: float) -> str:
    """Approve, reject or delete the review at that moment of the machine's clock."""
    time.sleep(max(0, at - time.time()))
    if name == "delete":
        delete_review(UUID(review))
    else:
        decide = approve_review if name == "approve" else reject_review
        decide(UUID(review), actor="grace", at=now_as_stored())
    return "done"


def write(user: str, product: str, at: float) -> str:
    time.sleep(max(0, at - time.time()))
    try:
        submit_review(User.objects.get(pk=user), Product.objects.get(pk=product), rating=5, comment="")
    except AlreadyReviewed:
        return "AlreadyReviewed"
    return "written"


def help_by(user: str, review: str, at: float) -> str:
    time.sleep(max(0, at - time.time()))
    try:
        vote(User.objects.get(pk=user), Review.objects.get(pk=review))
    except AlreadyVoted:
        return "AlreadyVoted"
    return "voted"


def count(product: str) -> dict[str, Any]:
    rated = Product.objects.get(pk=product)
    votes = list(Review.objects.filter(product=rated).order_by("pk").values_list("helpful_votes", flat=True))
    return {"rating": [rated.rating_count, str(rated.rating_average)], "reviews": len(votes), "votes": votes}


if __name__ == "__main__":
    main(globals())
