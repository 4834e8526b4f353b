"""A fake Stripe, the shop's settings about it, and an order that is to be paid by card."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from cryptons.circuit_breaker import CircuitBreaker
from cryptons.money import Base
from payments.models import Option
from payments.networks.base import DestinationRequest
from payments.networks.stripe import client
from payments.networks.stripe.network import CardNetwork
from payments.tests.factories import OptionFactory
from tests.fake_stripe import KEY, WEBHOOK_SECRET, FakeStripe

DUE = Base(10_000)


@pytest.fixture
def stripe(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStripe]:
    monkeypatch.setattr(client, "_circuit", CircuitBreaker(rest_seconds=3))
    fake = FakeStripe()
    fake.start()
    settings.STRIPE_API_URL, settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = fake.url, KEY, [WEBHOOK_SECRET]
    yield fake
    fake.stop()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def request_for(now: datetime, *, label: str = "order_7K3M9-2QFXA", amount: int = DUE) -> DestinationRequest:
    return DestinationRequest(label, Base(amount), now + timedelta(minutes=15), return_url="https://shop.example/pay/return/")


@pytest.fixture
def option(stripe: FakeStripe, now: datetime) -> Option:
    """100.00, open for 15 minutes."""
    opened = CardNetwork().open_destination(request_for(now))
    return OptionFactory.create(
        network="CARD",
        destination=opened.text,
        payment_request=opened.payment_request,
        due_base=DUE,
        minor_per_coin=Decimal(100),
        created_at=now,
        invoice__created_at=now,
        invoice__expires_at=now + timedelta(minutes=15),
        invoice__monitor_until=now + timedelta(days=30),
    )
