from decimal import Decimal

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.tests.factories import StaffFactory
from payments.admin.tests.payout_pages import browser_of


@pytest.fixture
def payout_limits(settings: Settings) -> None:
    """A fixed rate, and the limits of payouts in the shop's currency."""
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT, settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000), Decimal(5000), Decimal(100)


@pytest.fixture
def grace() -> Client:
    """The browser of Grace, who is a superuser."""
    return browser_of(StaffFactory.create(username="grace"))
