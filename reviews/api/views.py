"""Reviews: everybody reads those that are approved, users write them, `reviews:moderate` decides about them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens import actor_name, api_user, stored_user
from cryptons.api.errors import Invalid
from cryptons.api.idempotency import idempotent
from cryptons.api.inputs import Input, StrictInteger, StrictString, StrictUUID
from cryptons.api.permissions import Authenticated, has_permission, is_person, may
from cryptons.api.schema import AFTER, LIMIT, PAGE, describe, describe_page, idempotency_key, one_of
from cryptons.api.views import ApiView, get_or_404, paginated, parse_id, success, whole_parameter
from cryptons.db import now_as_stored
from reviews.api.outputs import STATUSES, ModeratedReviewSerializer, ProductReviewsMeta, ReviewSerializer
from reviews.comment import comment_problem
from reviews.models import LEAST, MAX_COMMENT, MOST, Review
from reviews.moderation import approve_review, reject_review
from reviews.voting import take_vote_back, vote
from reviews.writing import delete_review, edit_review, submit_review
from shop.api.outputs import RatingsSerializer
from shop.catalogue.version import product_version
from shop.models import Product

SORTS = {"newest": "-created_at", "helpful": "-helpful_votes", "highest": "-rating", "lowest": "rating"}
MODERATE = "reviews:moderate"
VERSION = OpenApiParameter(
    "version",
    {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    description="Of the review as you have read it: if its author has changed it since, the answer is 409 and nothing is decided",
)


def plain_comment(text: str) -> None:
    if problem := comment_problem(text):
        raise serializers.ValidationError(problem)


class ReviewChange(Input):
    example = {"rating": 5, "comment": "Boils fast and looks good."}

    rating = StrictInteger(min_value=LEAST, max_value=MOST)
    comment = StrictString(max_length=MAX_COMMENT, allow_blank=True, required=False, validators=[plain_comment])


class ReviewInput(ReviewChange):
    example = {"productId": "01a21c3e-c0fd-70d0-8283-c19ad8f36555", **ReviewChange.example}

    productId = StrictUUID()


class OwnerOrModerator(BasePermission):
    """Allows users, who may delete their own, and who may delete those of all. The view decides which of the two it is."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_person(request.user) or has_permission(request.user, MODERATE, "DELETE")


def version_of(product_id: str) -> str:
    """Return the version of the list of a product's reviews; empty for a malformed id, about which there is nothing to keep."""
    try:
        return product_version(str(UUID(product_id)))
    except ValueError:
        return ""


def _choice(request: Request, name: str, known: Any) -> str:
    value: str = request.query_params.get(name, "")
    if value and value not in known:
        raise Invalid.fields({name: _("Must be one of %(choices)s.") % {"choices": ", ".join(known)}})
    return value


def _find(review_id: str, *, only_published: bool = False) -> Review:
    reviews = Review.objects.published() if only_published else Review.objects.all()
    return get_or_404(reviews.select_related("user"), review_id, _("Review not found"))


def _decide(decide: Callable[..., Review], request: Request, review_id: str) -> Response:
    """Approve or reject the review, in the version that the query names, if it names one."""
    version = whole_parameter(request, "version", 0, least=1, most=999_999_999)
    pk = parse_id(review_id, _("Review not found"))
    return success(ModeratedReviewSerializer.serialize(decide(pk, actor=actor_name(request), at=now_as_stored(), version=version)))


class ProductReviews(ApiView):
    @describe(
        "List a product's reviews",
        data=ReviewSerializer,
        many=True,
        meta=ProductReviewsMeta,
        parameters=[OpenApiParameter("sort", one_of(*SORTS), description="The newest first, unless told otherwise"), PAGE, LIMIT, AFTER],
        errors=[404],
        cached=True,
    )
    def get(self, request: Request, product_id: str) -> Response:
        """Those that are approved. `meta` has the product's rating, too."""
        by = SORTS[_choice(request, "sort", SORTS) or "newest"]
        product = get_or_404(Product.objects.listed(), product_id, _("Product not found"))
        reviews = Review.objects.published().filter(product=product).select_related("user")
        return paginated(request, reviews, ReviewSerializer.serialize, by=by, more={"ratings": RatingsSerializer.serialize(product)})


class Reviews(ApiView):
    def get_permissions(self) -> list[Any]:
        return [Authenticated()] if self.request.method == "POST" else [may(MODERATE)()]

    @describe_page(
        "List all reviews", data=ModeratedReviewSerializer, parameters=[OpenApiParameter("status", one_of(*STATUSES))], scope=MODERATE
    )
    def get(self, request: Request) -> Response:
        """The newest first. Those that nobody has decided about are `waiting`."""
        chosen = {"": Review.objects.all, "waiting": Review.objects.waiting, "approved": Review.objects.published}
        reviews = chosen.get(_choice(request, "status", STATUSES), Review.objects.rejected)()
        return paginated(request, reviews.select_related("user"), ModeratedReviewSerializer.serialize)

    @describe(
        "Review a product",
        data=ReviewSerializer,
        status=201,
        body=ReviewInput,
        parameters=[idempotency_key("The same key and body: the same answer, and no second review")],
        errors=[404, 409, 415, 422],
        login=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """One review a user and product. It is shown to others once staff approve it."""
        values = self.valid(ReviewInput)
        product = get_or_404(Product.objects.listed(), str(values["productId"]), _("Product not found"))
        review = submit_review(stored_user(request), product, rating=values["rating"], comment=values.get("comment", ""))
        return success(ReviewSerializer.serialize(review), status=201)


class OneReview(ApiView):
    def get_permissions(self) -> list[Any]:
        return [OwnerOrModerator()] if self.request.method == "DELETE" else [Authenticated()]

    @describe("Change my review", data=ReviewSerializer, body=ReviewChange, errors=[400, 404, 409, 415], login=True)
    def patch(self, request: Request, review_id: str) -> Response:
        """It waits for staff again before others see it."""
        review = _find(review_id)
        if review.user_id != api_user(request).pk:
            raise PermissionDenied
        return success(ReviewSerializer.serialize(edit_review(review.pk, at=now_as_stored(), **self.valid(ReviewChange, partial=True))))

    @describe("Delete a review", data=None, status=204, errors=[404], scope=MODERATE)
    def delete(self, request: Request, review_id: str) -> Response:
        """For its author, and for staff who may delete reviews."""
        review = _find(review_id)
        if review.user_id != request.user.pk and not has_permission(request.user, MODERATE, "DELETE"):
            raise PermissionDenied
        delete_review(review.pk)
        return Response(status=204)


class HelpfulVotes(ApiView):
    permission_classes = [Authenticated]

    @describe("Vote for a review", data=ReviewSerializer, status=201, errors=[404, 409], login=True)
    def post(self, request: Request, review_id: str) -> Response:
        """Say that it has helped, once."""
        vote(stored_user(request), _find(review_id, only_published=True))
        return success(ReviewSerializer.serialize(_find(review_id)), status=201)

    @describe("Take back a vote for a review", data=None, status=204, errors=[404], login=True)
    def delete(self, request: Request, review_id: str) -> Response:
        """Nothing changes if there is none."""
        take_vote_back(api_user(request), _find(review_id, only_published=True))
        return Response(status=204)


class ReviewApproval(ApiView):
    permission_classes = [may(MODERATE, "PATCH")]

    @describe("Approve a review", data=ModeratedReviewSerializer, parameters=[VERSION], errors=[400, 404, 409], scope=MODERATE)
    def post(self, request: Request, review_id: str) -> Response:
        """Show it in the shop. Approving it again changes nothing."""
        return _decide(approve_review, request, review_id)


class ReviewRejection(ApiView):
    permission_classes = [may(MODERATE, "PATCH")]

    @describe("Reject a review", data=ModeratedReviewSerializer, parameters=[VERSION], errors=[400, 404, 409], scope=MODERATE)
    def post(self, request: Request, review_id: str) -> Response:
        """Keep it out of the shop, until its author changes it."""
        return _decide(reject_review, request, review_id)
