import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import StaffFactory


@pytest.fixture
def grace(client: Client) -> User:
    grace = StaffFactory.create(username="grace")
    client.force_login(grace)
    return grace
