"""A network that was not polled for two minutes is silent: staff and buyers are told that payments are noticed late."""

from datetime import UTC, datetime, timedelta

import pytest

from payments.polling import silent_networks
from payments.tests.factories import CursorFactory, InvoiceFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "silent"), [(120, []), (121, ["BTC"])])
def test_a_network_is_silent_after_two_minutes_without_an_answer(seconds, silent):
    CursorFactory(network="BTC", answered_at=NOW - timedelta(seconds=seconds))
    assert list(silent_networks(["BTC"], at=NOW)) == silent


def test_a_shop_that_polls_rarely_is_given_the_time_of_three_turns(settings):
    settings.FOLLOW_SECONDS = 100
    CursorFactory(network="BTC", answered_at=NOW - timedelta(seconds=299))
    assert silent_networks(["BTC"], at=NOW) == {}


def test_a_network_that_never_answered_is_silent_once_an_invoice_has_waited_for_it():
    CursorFactory(network="BTC", answered_at=None)
    assert silent_networks(["BTC", "XRP"], at=NOW) == {}

    InvoiceFactory(created_at=NOW - timedelta(minutes=3))

    assert silent_networks(["BTC", "XRP"], at=NOW) == {"BTC": None, "XRP": None}
