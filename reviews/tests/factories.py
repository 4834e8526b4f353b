import factory

from accounts.tests.factories import UserFactory
from reviews.models import Review
from shop.tests.factories import ProductFactory


class ReviewFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Review

    product = factory.SubFactory(ProductFactory)
    user = factory.SubFactory(UserFactory)
    rating = 4
    comment = "Pours well."
