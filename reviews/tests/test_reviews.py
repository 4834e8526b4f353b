import pytest
from django.db import IntegrityError

from reviews.models import Review
from reviews.tests.factories import ReviewFactory
from shop.tests.test_indexes import columns, indexes_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("fields", "is_unique"), [(["product", "user"], True), (["product", "approved"], False), (["user"], False)])
def test_the_contracts_index_is_there(fields, is_unique):
    assert any(found == columns(Review, fields) and unique >= is_unique for found, unique in indexes_of(Review))


def test_a_user_reviews_a_product_once():
    review = ReviewFactory()
    with pytest.raises(IntegrityError):
        ReviewFactory(product=review.product, user=review.user)


def test_a_review_is_not_shown_before_it_is_approved():
    assert ReviewFactory().approved is False


def test_a_deleted_product_takes_its_reviews_along():
    ReviewFactory().product.delete()
    assert not Review.objects.exists()
