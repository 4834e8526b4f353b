from factory.declarations import SubFactory
from factory.django import DjangoModelFactory

from accounts.tests.factories import UserFactory
from reviews.models import Review
from shop.tests.factories import ProductFactory


class ReviewFactory(DjangoModelFactory[Review]):
    class Meta:
        model = Review

    product = SubFactory(ProductFactory)
    user = SubFactory(UserFactory)
    rating = 4
    comment = "Pours well."
