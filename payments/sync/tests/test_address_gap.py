"""Addresses in a row without a payment: counted since the last one that was paid, and told to staff once they are many."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cryptons.mail.models import Mail
from payments.models import Alert
from payments.sync.address_gap import MOST_COUNTED, address_gap
from payments.sync.node_health import read_nodes
from payments.tasks import watch_address_gaps
from payments.tests.factories import InvoiceFactory, OptionFactory, PaymentFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def on_a_node(settings):
    settings.SANDBOX = False
    settings.BITCOIN_RPC_HOST, settings.BITCOIN_RPC_PORT = "127.0.0.1", 1
    settings.BITCOIN_RPC_USER = settings.BITCOIN_RPC_PASS = "x"
    settings.GAP_LIMIT = 3
    settings.STAFF_EMAIL = ["staff@example.com"]


def unpaid(count, network="BTC"):
    return [OptionFactory(network=network) for _ in range(count)]


def test_the_gap_of_a_shop_without_orders_is_nothing():
    assert address_gap("BTC") == 0


def test_the_gap_is_counted_since_the_last_address_that_was_paid():
    unpaid(2)
    PaymentFactory(option=OptionFactory(network="BTC"))
    unpaid(3)

    assert address_gap("BTC") == 3


def test_a_payment_to_an_older_address_does_not_end_the_gap_after_a_newer_one():
    older, newer = unpaid(2)
    PaymentFactory(option=newer)
    unpaid(1)
    PaymentFactory(option=older)

    assert address_gap("BTC") == 1


def test_a_payment_that_is_gone_still_shows_that_the_address_was_seen_by_other_wallets():
    (option,) = unpaid(1)
    PaymentFactory(option=option, status="gone", is_present=False)

    assert address_gap("BTC") == 0


def test_other_networks_and_play_money_are_not_in_the_gap():
    unpaid(2)
    unpaid(4, network="LTC")
    OptionFactory(network="BTC", invoice=InvoiceFactory(is_sandbox=True))

    assert (address_gap("BTC"), address_gap("LTC")) == (2, 4)


def test_the_gap_is_counted_up_to_a_limit(monkeypatch):
    monkeypatch.setattr("payments.sync.address_gap.MOST_COUNTED", 2)
    unpaid(3)

    assert (address_gap("BTC"), MOST_COUNTED) == (2, 1000)


def test_staff_are_alerted_once_when_the_gap_is_above_the_limit(on_a_node):
    unpaid(3)
    watch_address_gaps()
    assert not Alert.objects.exists()

    unpaid(1)
    watch_address_gaps()
    unpaid(1)
    watch_address_gaps()

    alert = Alert.objects.get()
    assert alert.text.startswith("The last 4 addresses of the BTC wallet have received nothing.")
    assert Mail.objects.get().subject == "New alert"


def test_staff_are_alerted_again_of_another_gap(on_a_node):
    unpaid(4)
    watch_address_gaps()
    PaymentFactory(option=OptionFactory(network="BTC"))
    watch_address_gaps()
    assert Alert.objects.count() == 1

    unpaid(4)
    watch_address_gaps()

    assert Alert.objects.count() == 2


def test_the_sandbox_has_no_gap(settings):
    settings.GAP_LIMIT = 1
    unpaid(4)

    watch_address_gaps()

    assert not Alert.objects.exists()
    assert {report.address_gap for report in read_nodes(at=timezone.now())} == {None}


def test_the_report_of_a_node_has_the_gap_and_warns_above_the_limit(on_a_node):
    unpaid(4)
    (report,) = read_nodes(at=timezone.now() + timedelta(seconds=1))

    assert report.address_gap == 4
    assert any("have received nothing" in warning for warning in report.warnings)
