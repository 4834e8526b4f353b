import pytest
from django.db import IntegrityError

from reviews.models import Review
from reviews.tests.factories import ReviewFactory
from shop.tests.test_indexes import columns, indexes_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("fields", "is_unique"), [(["product", "user"], True), (["product", "approved"], False), (["user"], False)])
def test_the_reviews_table_has_the_documented_index(fields, is_unique):
    assert any(found == columns(Review, fields) and unique >= is_unique for found, unique in indexes_of(Review))


def test_a_user_can_review_a_product_only_once():
    review = ReviewFactory()
    with pytest.raises(IntegrityError):
        ReviewFactory(product=review.product, user=review.user)


def test_a_new_review_is_not_approved():
    assert ReviewFactory().approved is False


def test_deleting_a_product_deletes_its_reviews():
    ReviewFactory().product.delete()
    assert not Review.objects.exists()
