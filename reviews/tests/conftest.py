import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from cryptons.api.limits import forget_counts
from shop.models import Product
from shop.tests.factories import ProductFactory


@pytest.fixture(autouse=True)
def _generous_limits(settings: Settings) -> None:
    settings.RATE_LIMIT_API = "10000/minute"
    forget_counts()


@pytest.fixture
def ada() -> User:
    return UserFactory.create(username="ada", email="ada@example.com")


@pytest.fixture
def api(ada: User) -> ApiClient:
    return ApiClient(ada)


@pytest.fixture
def moderator() -> ApiClient:
    return ApiClient(StaffFactory.create(username="grace"))


@pytest.fixture
def kettle() -> Product:
    return ProductFactory.create(slug="kettle")
