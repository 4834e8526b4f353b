"""What staff decide about reviews."""

from datetime import datetime
from uuid import UUID

from reviews.errors import ReviewMoved
from reviews.models import Review
from reviews.writing import has_bought, rewrite, write


def approve_review(review_id: UUID, *, actor: str, at: datetime, version: int = 0) -> Review:
    """Show the review in the shop. `version`: as the person saw it, if that is known. Raises Review.DoesNotExist, ReviewMoved."""
    return _decide(review_id, approved=True, actor=actor, at=at, version=version)


def reject_review(review_id: UUID, *, actor: str, at: datetime, version: int = 0) -> Review:
    """Keep the review out of the shop, until its author changes it. Raises Review.DoesNotExist, ReviewMoved."""
    return _decide(review_id, approved=False, actor=actor, at=at, version=version)


def _decide(review_id: UUID, *, approved: bool, actor: str, at: datetime, version: int) -> Review:
    """Write the decision, and nothing if it is the one that stands."""

    def act() -> Review | None:
        review = Review.objects.select_related("user").filter(pk=review_id).first()
        if review is not None and version and review.version != version:
            raise ReviewMoved
        if review is not None and (review.decided_at is None or review.approved != approved):
            event, bought = "approved" if approved else "rejected", has_bought(review.user_id, review.product_id)
            write(review, event, actor=actor, approved=approved, decided_at=at, verified_purchase=bought, updated_at=at)
        return review

    return rewrite(act)
