from decimal import Decimal

import pytest
from pytest_django.fixtures import Settings


@pytest.fixture
def payout_limits(settings: Settings) -> None:
    """A fixed rate, and the limits of payouts in the shop's currency."""
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT, settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000), Decimal(5000), Decimal(100)
