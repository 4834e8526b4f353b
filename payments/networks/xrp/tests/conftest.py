"""A fake rippled, the shop's settings about it, and an order that waits for XRP."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from cryptons.money import Base
from payments.invoices.settlement import settle
from payments.models import Option
from payments.networks.base import CursorState, DestinationRequest, Fact
from payments.networks.xrp.network import XrpNetwork
from payments.sync.follower import poll
from payments.tests.factories import OptionFactory
from tests.fake_rippled import ISSUER, SHOP, FakeRippled

TAG = 7
DUE = Base(200_000_000)
"""100.00 at 0.50 for one XRP."""
DOLLARS = {"currency": "USD", "issuer": ISSUER, "value": "200"}


@pytest.fixture
def xrpl(settings: Settings) -> Iterator[FakeRippled]:
    fake = FakeRippled()
    fake.start()
    settings.XRP_URL, settings.XRP_ADDRESS = fake.url, SHOP
    yield fake
    fake.stop()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def option(now: datetime) -> Option:
    return option_with(TAG, now)


def option_with(tag: int, now: datetime, **more: Any) -> Option:
    return OptionFactory.create(
        network="XRP",
        destination=f"{SHOP}?dt={tag}",
        due_base=DUE,
        minor_per_coin=Decimal(50),
        created_at=now,
        invoice__created_at=now,
        invoice__expires_at=now + timedelta(minutes=15),
        invoice__monitor_until=now + timedelta(days=30),
        **more,
    )


def state(fake: FakeRippled, ledger: int | None = None) -> CursorState:
    """Return a cursor that has read up to this ledger of this server."""
    first = XrpNetwork().facts_since(CursorState(), ())
    return CursorState(str(ledger or fake.last), first.cursor.node_id, first.cursor.wallets)


def facts(fake: FakeRippled, cursor: CursorState) -> tuple[Fact, ...]:
    return XrpNetwork().facts_since(cursor, ()).facts


def request_of(now: datetime) -> DestinationRequest:
    return DestinationRequest(label="order_1", amount_base=DUE, expires_at=now + timedelta(minutes=15))


def turn() -> set[str]:
    touched = poll("XRP", at=timezone.now())
    return {settle(invoice_id, at=timezone.now()).status for invoice_id in touched}


def first_turn() -> None:
    assert turn() == set()
