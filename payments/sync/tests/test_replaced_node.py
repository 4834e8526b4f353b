"""LND's place is taken by another node: what was paid on either is found, and staff are told."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from payments.accounting.comparison import Kind
from payments.accounting.periods import Period
from payments.accounting.reconcile import reconcile
from payments.invoices.settlement import settle
from payments.models import Alert, Cursor, Invoice, Option, Payment
from payments.networks.lightning.tests.lnd_server import lnd_of  # noqa: F401
from payments.sync.follower import poll
from payments.sync.node_health import read_nodes
from payments.sync.option_sweep import check_open_options, close_options
from payments.sync.replaced_node import replaced_at
from payments.tests.factories import InvoiceFactory, OptionFactory

pytestmark = pytest.mark.django_db

NETWORK = "BTC-LN"


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def lnd(lnd_of):
    return lnd_of("the former")


def open_option(node, number, *, at, status="new"):
    """A Lightning invoice of the shop that this node made."""
    option = OptionFactory(
        invoice=InvoiceFactory(created_at=at, expires_at=at + timedelta(minutes=15), monitor_until=at + timedelta(days=30), status=status),
        network=NETWORK,
        destination=f"{number:064x}",
        due_base=200_000_000,
        created_at=at,
    )
    node.add(option.destination, value_msat=200_000_000)
    return option


def is_closed(option):
    return Option.objects.get(pk=option.pk).is_closed


def test_a_payment_on_the_new_node_is_found_by_the_sweep_and_settles(lnd, lnd_of, now):
    poll(NETWORK, at=now)
    new = lnd_of("the new")
    poll(NETWORK, at=now + timedelta(seconds=5))
    option = open_option(new, 7, at=now + timedelta(seconds=6))
    new.pay(option.destination, now + timedelta(seconds=7))

    # The node's very first settlement: its stream tells of no index below 1.
    assert poll(NETWORK, at=now + timedelta(seconds=10)) == set()
    assert check_open_options("BTC-LN", at=now + timedelta(seconds=11)) == {option.invoice_id}

    assert settle(option.invoice_id, at=now + timedelta(seconds=12)).status == "settled"
    assert is_closed(option)


def test_the_stream_of_a_new_node_is_read_from_its_beginning(lnd, lnd_of, now):
    """The former node's index is above that of the new node: if it were kept, no payment would ever be reported."""
    poll(NETWORK, at=now)
    Cursor.objects.filter(network=NETWORK).update(value="4711")

    new = lnd_of("the new")
    poll(NETWORK, at=now + timedelta(seconds=5))

    cursor = Cursor.objects.get(network=NETWORK)
    assert (cursor.value, cursor.node_id.startswith(f"{new.pubkey} ")) == ("0", True)


def test_staff_get_one_alert_that_names_the_former_and_the_new_node(lnd, lnd_of, now):
    poll(NETWORK, at=now)
    open_option(lnd, 7, at=now)
    assert not Alert.objects.exists()

    new = lnd_of("the new")
    poll(NETWORK, at=now + timedelta(seconds=5))
    poll(NETWORK, at=now + timedelta(seconds=10))

    alert = Alert.objects.get()
    assert f"{new.pubkey} instead of {lnd.pubkey}" in alert.text
    assert "1 open invoice is paid to the former node" in alert.text
    assert replaced_at(NETWORK) == now + timedelta(seconds=5)
    (report,) = read_nodes(at=now + timedelta(seconds=11))
    assert (report.state, report.warnings) == ("trouble", (alert.text,))
    assert f"1 unfinished invoice belongs to the wallet '{lnd.pubkey}'" in report.health.problem


def test_the_reconciliation_differs_while_an_invoice_waits_for_the_former_node(lnd, lnd_of, now):
    poll(NETWORK, at=now)
    option = open_option(lnd, 7, at=now)
    lnd_of("the new")
    poll(NETWORK, at=now + timedelta(seconds=5))
    period = Period(now - timedelta(days=1), now + timedelta(days=1))

    assert Kind.WALLET in {difference.kind for difference in reconcile(period, at=now).alarms}
    Invoice.objects.filter(pk=option.invoice_id).update(status="expired")
    assert Kind.WALLET not in {difference.kind for difference in reconcile(period, at=now).alarms}


def test_a_closed_alert_about_a_replaced_node_is_no_longer_a_warning(lnd, lnd_of, now):
    poll(NETWORK, at=now)
    lnd_of("the new")
    poll(NETWORK, at=now)
    Alert.objects.update(closed_at=now)
    (report,) = read_nodes(at=now)
    assert (report.state, report.warnings) == ("ok", ())


def test_a_replaced_node_is_a_warning_before_the_follower_has_polled_it(lnd, lnd_of, now):
    poll(NETWORK, at=now)
    new = lnd_of("the new")
    (report,) = read_nodes(at=now)
    assert report.warnings == (f"The node was replaced: this is {new.pubkey}, and the follower knows {lnd.pubkey}.",)


def test_the_same_node_with_another_macaroon_is_not_a_replaced_node(lnd, settings, now):
    poll(NETWORK, at=now)
    lnd.macaroon = "02" * 32
    lnd.configure(settings)
    poll(NETWORK, at=now + timedelta(seconds=5))
    assert not Alert.objects.exists()


def test_a_payment_to_the_former_node_is_found_when_that_node_is_back(lnd, lnd_of, settings, now):
    poll(NETWORK, at=now)
    option = open_option(lnd, 7, at=now)
    lnd_of("a mistake")
    check_open_options("BTC-LN", at=now + timedelta(seconds=4))
    poll(NETWORK, at=now + timedelta(seconds=5))
    check_open_options("BTC-LN", at=now + timedelta(seconds=6))
    lnd.pay(option.destination, now + timedelta(minutes=1))
    settle(option.invoice_id, at=now + timedelta(minutes=16))
    close_options(option.invoice_id, at=now + timedelta(minutes=16))
    assert not is_closed(option)

    lnd.configure(settings)
    poll(NETWORK, at=now + timedelta(minutes=20))
    assert check_open_options("BTC-LN", at=now + timedelta(minutes=20)) == {option.invoice_id}

    assert Payment.objects.get().amount_base == 200_000_000
    verdict = settle(option.invoice_id, at=now + timedelta(minutes=20))
    assert (verdict.status, verdict.flags) == ("settled", frozenset())


def test_an_option_that_an_unreplaced_node_forgot_is_closed(lnd, now):
    """LND may delete a cancelled invoice, and no other node could know of it."""
    poll(NETWORK, at=now)
    option = open_option(lnd, 7, at=now, status="expired")
    lnd.invoices.clear()
    check_open_options("BTC-LN", at=now)
    assert is_closed(option)


def test_the_former_nodes_invoices_are_closed_when_their_monitoring_ends(lnd, lnd_of, now):
    poll(NETWORK, at=now)
    option = open_option(lnd, 7, at=now, status="expired")
    lnd_of("the new")
    poll(NETWORK, at=now + timedelta(seconds=5))
    check_open_options("BTC-LN", at=now + timedelta(days=29))
    assert not is_closed(option)
    check_open_options("BTC-LN", at=now + timedelta(days=31))
    assert is_closed(option)


def test_the_alert_about_a_replaced_node_contains_no_secret(lnd, lnd_of, settings, now):
    poll(NETWORK, at=now)
    lnd_of("the new")
    poll(NETWORK, at=now)
    assert not re.search(settings.LND_MACAROON, Alert.objects.get().text)
