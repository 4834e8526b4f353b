"""The shop and an LND on this machine: invoices, settlements, channels, and what it says when it cannot serve."""

from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
from django.utils import timezone

from cryptons.money import Base
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.base import CursorState, DestinationRequest
from payments.networks.lightning import network as adapter
from payments.networks.lightning.lnd.lightning_pb2 import Invoice, WalletState
from payments.networks.lightning.network import CHAIN_AWAY, LightningNetwork
from payments.networks.lightning.rpc import open_lnd
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401

UNKNOWN = grpc.StatusCode.UNKNOWN
HASH = "ab" * 32


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def network():
    return LightningNetwork()


def request_of(now, amount_msat=1_000_000, minutes=15):
    return DestinationRequest(label="order_1", amount_base=Base(amount_msat), expires_at=now + timedelta(minutes=minutes))


# --- invoices ---


def test_an_invoice_is_created_with_the_exact_amount_and_expiry(lnd, network, now):
    destination = network.open_destination(request_of(now))

    asked = lnd.received["AddInvoice"]
    assert (asked.memo, asked.value_msat, asked.private) == ("order_1", 1_000_000, True)
    assert 890 <= asked.expiry <= 900
    assert destination.payment_request == f"lnbcrt{destination.text}"


def test_an_invoice_that_has_already_expired_is_created_with_an_expiry_of_one_second(lnd, network, now):
    network.open_destination(request_of(now, minutes=-5))
    assert lnd.received["AddInvoice"].expiry == 1


def test_an_amount_above_what_the_channels_can_receive_is_not_offered(lnd, network, now):
    receivable = (2_000_000 - 10_000) * 1000
    assert network.open_destination(request_of(now, receivable))
    with pytest.raises(NodeUnavailable, match="cannot receive this much"):
        network.open_destination(request_of(now, receivable + 1))


def test_closing_a_destination_cancels_the_invoice_at_lnd(lnd, network):
    lnd.add(HASH)
    network.close_destination(HASH)
    assert lnd.invoices[HASH].state == Invoice.CANCELED


def test_closing_a_settled_or_unknown_invoice_changes_nothing(lnd, network, now):
    lnd.add(HASH)
    lnd.pay(HASH, now)
    network.close_destination(HASH)
    network.close_destination("cd" * 32)
    assert lnd.invoices[HASH].state == Invoice.SETTLED


def test_an_unexpected_error_while_an_invoice_is_closed_is_raised(lnd, network):
    lnd.errors["CancelInvoice"] = (UNKNOWN, "database is read-only")
    with pytest.raises(NodeRejected, match="LND refuses: database is read-only"):
        network.close_destination(HASH)


# --- settlements ---


def settle(lnd, now, *payment_hashes):
    for payment_hash in payment_hashes:
        lnd.add(payment_hash)
        lnd.pay(payment_hash, now)


def test_a_poll_reports_the_invoices_settled_after_the_cursor(lnd, network, now):
    cursor = network.facts_since(CursorState(), ()).cursor
    settle(lnd, now, "01" * 32, "02" * 32, "03" * 32)

    page = network.facts_since(CursorState("1", cursor.node_id), ())

    assert [fact.reference for fact in page.facts] == ["02" * 32, "03" * 32]
    assert (page.cursor.value, page.tip_height, page.unread) == ("3", None, ())


def test_a_poll_without_news_keeps_the_cursor(lnd, network, now):
    settle(lnd, now, HASH)
    cursor = replace(network.facts_since(CursorState(), ()).cursor, value="1")
    assert network.facts_since(cursor, ()) == adapter.FactPage((), cursor, None)


def test_the_settle_index_of_another_node_is_not_used(lnd_of, network, now):
    old = lnd_of("the old one")
    cursor = CursorState("700", network.facts_since(CursorState(), ()).cursor.node_id)
    new = lnd_of("the new one")
    settle(new, now, HASH)

    page = network.facts_since(cursor, ())

    assert (new.received["SubscribeInvoices"].settle_index, page.cursor.node_name) == (0, new.pubkey)
    assert page.cursor.node_name != old.pubkey


def test_a_node_with_known_credentials_is_not_asked_for_its_identity_again(lnd, network):
    cursor = network.facts_since(CursorState(), ()).cursor
    assert network.has_met(cursor)
    lnd.asked.clear()

    network.facts_since(cursor, ())

    assert lnd.asked == ["GetState", "SubscribeInvoices"]


def test_a_node_with_another_macaroon_is_not_recognised_from_the_cursor(lnd, network, settings):
    cursor = network.facts_since(CursorState(), ()).cursor
    settings.LND_MACAROON = "00"
    assert not network.has_met(cursor)


def test_an_unreadable_settlement_does_not_hide_the_others(lnd, network, now):
    cursor = network.facts_since(CursorState(), ()).cursor
    settle(lnd, now, "01" * 32, "02" * 32, "03" * 32)
    lnd.invoices["02" * 32].settle_date = 2**62

    page = network.facts_since(CursorState("1", cursor.node_id), ())

    assert [fact.reference for fact in page.facts] == ["03" * 32]
    assert (page.unread, page.cursor.value) == (("02" * 32,), "3")


def test_a_broken_stream_is_reported_as_unavailable(lnd, network):
    lnd.errors["SubscribeInvoices"] = (grpc.StatusCode.UNAVAILABLE, "Stream removed")
    with pytest.raises(NodeUnavailable, match="no connection to LND_HOST"):
        network.facts_since(CursorState(), ())


def test_the_cursor_stops_at_the_first_gap_of_a_backlog_that_was_cut_off(lnd, network, now, monkeypatch):
    cursor = network.facts_since(CursorState(), ()).cursor
    monkeypatch.setattr(adapter, "QUIET", adapter.TURN)
    lnd.ends_after_backlog = True
    settle(lnd, now, "01" * 32, "02" * 32, "03" * 32, "04" * 32)
    lnd.invoices["03" * 32].state = Invoice.OPEN

    page = network.facts_since(CursorState("1", cursor.node_id), ())

    assert [fact.reference for fact in page.facts] == ["02" * 32, "04" * 32]
    assert page.cursor.value == "2"


# --- a person's question ---


def test_a_lookup_returns_the_settled_invoices(lnd, network, now):
    settle(lnd, now, HASH)
    lnd.add("01" * 32)

    (fact,) = network.lookup([HASH, "01" * 32, "02" * 32])

    assert (fact.reference, fact.amount_base, fact.is_safe) == (HASH, 1_000, True)


def test_an_unexpected_error_of_a_lookup_is_raised(lnd, network):
    lnd.errors["LookupInvoice"] = (UNKNOWN, "database is closed")
    with pytest.raises(NodeRejected, match="database is closed"):
        network.lookup([HASH])


# --- channels and health ---


def test_channels_have_the_amounts_that_they_can_receive_and_send(lnd, network):
    lnd.add_channel(local=100, remote=50, reserve=60, active=False)

    liquidity = network.liquidity()

    first, second = liquidity.channels
    assert (first.receivable_sat, first.sendable_sat, first.is_active) == (1_990_000, 2_990_000, True)
    assert (second.receivable_sat, second.sendable_sat, second.is_active) == (0, 40, False)
    assert (liquidity.opening_local_sat, liquidity.opening_remote_sat) == (5_000, 0)


def test_health_of_a_healthy_lnd_has_its_figures_and_no_problem(lnd, network):
    health = network.health()

    assert (health.problem, health.warning, health.height, health.peers) == ("", "", 800_000, 1)
    assert (health.channels, health.active_channels) == (1, 1)
    assert (health.receivable_base, health.spendable_base) == (1_990_000_000, 2_990_000_000)
    assert (health.node_name, health.version) == (lnd.pubkey, "lnd 0.21.3-beta")


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (WalletState.NON_EXISTING, "lncli create"),
        (WalletState.LOCKED, "lncli unlock"),
        (WalletState.UNLOCKED, "starting up"),
        (WalletState.WAITING_TO_START, "starting up"),
    ],
)
def test_health_of_an_lnd_without_an_open_wallet_says_what_to_do(lnd, network, state, says):
    lnd.state = state
    assert says in network.health().problem


def test_health_of_an_lnd_that_is_catching_up_is_a_warning(lnd, network):
    lnd.is_synced = False
    assert "catching up" in network.health().warning


@pytest.mark.parametrize("trouble", ["hangs", "says so"])
def test_health_of_an_lnd_without_its_bitcoin_node_is_a_warning(lnd, network, trouble, monkeypatch):
    if trouble == "hangs":
        monkeypatch.setattr(adapter, "INFO", timedelta(seconds=0.3))
        lnd.hanging.add("GetInfo")
    else:
        lnd.errors["GetInfo"] = (UNKNOWN, "unable to get best block info: connection refused")
    assert network.health().warning == CHAIN_AWAY


def test_health_of_an_lnd_with_an_unexpected_error_is_a_problem(lnd, network):
    lnd.errors["GetInfo"] = (UNKNOWN, "out of memory")
    assert network.health().problem == "LND refuses: out of memory"


def test_health_of_an_unreachable_lnd_is_a_problem(lnd, network):
    lnd.stop()
    assert "LND does not answer" in network.health().problem


# --- the address of the node ---


@pytest.mark.parametrize(
    ("host", "dialled"),
    [
        ("lnd.example", "lnd.example:10009"),
        ("lnd.example:443", "lnd.example:443"),
        ("::1", "[::1]:10009"),
        ("https://127.0.0.1:10009", "127.0.0.1:10009"),
    ],
)
def test_the_default_port_of_lnd_is_used_unless_another_is_given(settings, monkeypatch, host, dialled):
    dials = []
    monkeypatch.setattr("payments.networks.lightning.rpc.grpc.secure_channel", lambda host, _: dials.append(host) or FakeChannel())
    settings.LND_HOST, settings.LND_MACAROON, settings.LND_TLS_CERT = host, "00", ""
    with open_lnd(within=timedelta(seconds=1)):
        pass
    assert dials == [dialled]


class FakeChannel:
    def close(self):
        pass
