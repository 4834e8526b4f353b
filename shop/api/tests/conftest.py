import pytest

from accounts.tests.factories import ApiClient, UserFactory
from cryptons.api.limits import forget_counts
from shop.tests.factories import ProductFactory


@pytest.fixture(autouse=True)
def _generous_limits(settings):
    settings.RATE_LIMIT_API = "10000/minute"
    forget_counts()


@pytest.fixture
def ada():
    return UserFactory(username="ada", email="ada@example.com")


@pytest.fixture
def api(ada):
    """Return a client that is logged in as ada."""
    return ApiClient(ada)


@pytest.fixture
def kettle():
    return ProductFactory(sku="KETTLE")
