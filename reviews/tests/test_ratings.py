"""The rating that a product carries, after any sequence of what people do to its reviews."""

from decimal import ROUND_HALF_UP, Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from accounts.tests.factories import UserFactory
from cryptons.db import now_as_stored
from cryptons.events.models import Event
from reviews.errors import AlreadyReviewed
from reviews.models import HelpfulVote, Review
from reviews.moderation import approve_review, reject_review
from reviews.ratings import recount
from reviews.tests.factories import ReviewFactory
from reviews.voting import take_vote_back, vote
from reviews.writing import delete_review, edit_review, submit_review
from shop.models import Product
from shop.tests.factories import CategoryFactory, ProductFactory
from tests.sequences import settings_for

pytestmark = pytest.mark.django_db(transaction=True)

USERS, PRODUCTS = 3, 2
ACTS = ("submit", "approve", "approve", "reject", "edit", "delete", "delete user", "delete product", "vote", "take vote back")
STEPS = st.tuples(st.sampled_from(ACTS), st.integers(0, USERS * PRODUCTS - 1), st.integers(1, 5))


def counted(product):
    """Count the product's rating in Python."""
    ratings = [review.rating for review in Review.objects.filter(product=product) if review.approved]
    average = Decimal(sum(ratings)) / len(ratings) if ratings else Decimal(0)
    return len(ratings), average.quantize(Decimal("0.01"), ROUND_HALF_UP)


class People:
    """Users and products, made again when they were deleted, and what happens to their reviews."""

    def __init__(self):
        for rows in (Review, User, Product, Event):
            rows.objects.all().delete()
        self.category = CategoryFactory.create()
        self.users, self.products = [None] * USERS, [None] * PRODUCTS
        for number in range(USERS * PRODUCTS):
            self.pair(number)

    def pair(self, number):
        user, product = number % USERS, number % PRODUCTS
        self.users[user] = self.users[user] or UserFactory.create()
        self.products[product] = self.products[product] or ProductFactory.create(category=self.category)
        return self.users[user], self.products[product]

    def happen(self, act, number, rating):
        user, product = self.pair(number)
        review = Review.objects.filter(user=user, product=product).first()
        if act == "delete user":
            user.delete()
            self.users[number % USERS] = None
        elif act == "delete product":
            product.delete()
            self.products[number % PRODUCTS] = None
        elif review is None:
            submit_review(user, product, rating=rating, comment="")
        elif act == "edit":
            edit_review(review.pk, at=now_as_stored(), rating=rating)
        elif act == "delete":
            delete_review(review.pk)
        elif act == "submit":
            with pytest.raises(AlreadyReviewed):
                submit_review(user, product, rating=rating, comment="")
        elif "vote" in act:
            self.let_vote(act, review, self.users[(number + 1) % USERS])
        else:
            (approve_review if act == "approve" else reject_review)(review.pk, actor="grace", at=now_as_stored())

    def let_vote(self, act, review, voter):
        if voter and not HelpfulVote.objects.filter(user=voter, review=review).exists():
            vote(voter, review)
        elif voter and act == "take vote back":
            assert take_vote_back(voter, review)


@settings_for(10)
@given(st.lists(STEPS, min_size=4, max_size=10))
def test_the_rating_is_exact_after_any_sequence(steps):
    people = People()
    for step in steps:
        people.happen(*step)
        for product in Product.objects.all():
            assert (product.rating_count, product.rating_average) == counted(product)
        for review in Review.objects.all():
            assert review.helpful_votes == HelpfulVote.objects.filter(review=review).count()
    assert recount() == []
    for subject in set(Event.objects.values_list("subject_id", flat=True)):
        seqs = list(Event.objects.filter(subject_id=subject).order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, len(seqs) + 1))


def test_a_wrong_rating_is_found_and_corrected():
    right = ReviewFactory(approved=True, rating=4).product
    forgotten = ProductFactory(rating_count=3, rating_average=Decimal("4.00"))
    ProductFactory()
    out = StringIO()

    call_command("recount_ratings", stdout=out)
    call_command("recount_ratings", stdout=out)

    for product, rating in ((right, (1, Decimal("4.00"))), (forgotten, (0, Decimal(0)))):
        product.refresh_from_db()
        assert (product.rating_count, product.rating_average) == rating
    assert out.getvalue().splitlines() == ["Corrected the ratings of 2 products.", "All ratings are right."]
