"""What the API answers about reviews."""

from rest_framework import serializers

from cryptons.api.outputs import ListMeta, Output
from reviews.models import Review
from shop.api.outputs import RatingsSerializer

STATUSES = ("waiting", "approved", "rejected")


class ReviewSerializer(Output):
    id = serializers.UUIDField(source="pk")
    productId = serializers.UUIDField(source="product_id")
    userId = serializers.UUIDField(source="user_id")
    username = serializers.CharField(source="user.username")
    rating = serializers.IntegerField()
    comment = serializers.CharField()
    approved = serializers.BooleanField()
    verifiedPurchase = serializers.BooleanField(
        source="verified_purchase", help_text="Whether an order of the user has it, paid or delivered"
    )
    helpfulVotes = serializers.IntegerField(source="helpful_votes")
    createdAt = serializers.DateTimeField(source="created_at")
    updatedAt = serializers.DateTimeField(source="updated_at", help_text="A vote does not change it.")


class ModeratedReviewSerializer(ReviewSerializer):
    status = serializers.ChoiceField(STATUSES)
    version = serializers.IntegerField(help_text="Rises with each change of the review and each decision")

    def read_status(self, review: Review) -> str:
        if review.approved:
            return "approved"
        return "waiting" if review.decided_at is None else "rejected"


class ProductReviewsMeta(ListMeta):
    ratings = RatingsSerializer()
