"""Errors that reviews raise on purpose. The text of each is a sentence for the person who reads it."""

from shop.errors import ShopError


class AlreadyReviewed(ShopError):
    """The user has reviewed the product already. Change that review."""


class AlreadyVoted(ShopError):
    """The user has said already that the review has helped."""


class OwnReview(ShopError):
    """The author of a review cannot vote for it."""


class ReviewMoved(ShopError):
    """Another process changed the review first: read it again and retry."""
