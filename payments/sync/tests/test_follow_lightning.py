"""One turn of Lightning's follower, at a node that does not stand still."""

import pytest
from django.utils import timezone

from payments.models import Cursor
from payments.networks.lightning.lnd.lightning_pb2 import WalletState
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401
from payments.sync.follower import poll

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


def test_an_lnd_that_hangs_is_failing_and_not_treated_as_without_news(lnd, now):
    poll("BTC-LN", at=now)
    assert Cursor.objects.get().failing_since is None

    lnd.hanging |= {"GetState", "SubscribeInvoices"}
    poll("BTC-LN", at=now)

    cursor = Cursor.objects.get()
    assert (cursor.failing_since, "in time" in cursor.last_error) == (now, True)


def test_an_lnd_without_its_bitcoin_node_is_still_polled(lnd, now):
    poll("BTC-LN", at=now)
    lnd.hanging.add("GetInfo")
    poll("BTC-LN", at=now)
    assert Cursor.objects.get().failing_since is None


def test_the_cursor_stores_that_lnd_is_locked(lnd, now):
    lnd.state = WalletState.LOCKED
    poll("BTC-LN", at=now)
    assert "lncli unlock" in Cursor.objects.get().last_error
