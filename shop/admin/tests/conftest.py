import pytest

from accounts.tests.factories import StaffFactory


@pytest.fixture
def grace(client):
    grace = StaffFactory(username="grace")
    client.force_login(grace)
    return grace
