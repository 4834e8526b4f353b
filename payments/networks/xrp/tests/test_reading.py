"""The follower reads the XRP Ledger on from where it was, page by page, and begins somewhere."""

from datetime import timedelta

import pytest

from payments.errors import NodeRejected, NodeUnavailable
from payments.models import Cursor
from payments.networks.base import CursorState
from payments.networks.xrp import network as adapter
from payments.networks.xrp.network import XrpNetwork
from payments.networks.xrp.tests.conftest import DUE, TAG, facts, option_with, request_of, state
from payments.tests.factories import OptionFactory
from tests.fake_rippled import (
    SHOP,
)

pytestmark = pytest.mark.django_db


# --- reading on ---


def test_a_poll_makes_one_request(xrpl):
    cursor = state(xrpl)
    xrpl.asked.clear()

    XrpNetwork().facts_since(cursor, ())

    assert xrpl.methods() == ["account_tx"]


def test_a_poll_without_a_new_ledger_keeps_the_cursor(xrpl):
    cursor = state(xrpl)
    assert XrpNetwork().facts_since(cursor, ()).cursor == cursor


@pytest.mark.parametrize("version", [1, 2])
def test_many_payments_are_read_in_pages(xrpl, version):
    xrpl.speaks, xrpl.most = version, 10
    cursor = state(xrpl)
    paid = [xrpl.pay(SHOP, DUE, tag=tag, close=tag % 3 == 0) for tag in range(1, 46)]

    page = XrpNetwork().facts_since(cursor, ())

    assert [fact.reference for fact in page.facts] == paid
    assert page.cursor.value == "1015"


def test_ledgers_that_close_between_two_pages_are_left_to_the_next_poll(xrpl):
    xrpl.most = 2
    cursor = state(xrpl)
    for tag in (1, 2, 3):
        xrpl.pay(SHOP, DUE, tag=tag)
    xrpl.fault = lambda method: xrpl.pay(SHOP, DUE, tag=len(xrpl.transactions) + 1) and ""

    page = XrpNetwork().facts_since(cursor, ())
    xrpl.fault = ""

    assert page.cursor.value == "1004"
    assert max(fact.height for fact in page.facts) == 1004
    rest = {fact.destination for fact in facts(xrpl, page.cursor)}
    assert {fact.destination for fact in page.facts} | rest == {f"{SHOP}?dt={tag}" for tag in range(1, len(xrpl.transactions) + 1)}


def test_more_payments_than_one_poll_reads_are_read_by_several_without_a_loss(xrpl, monkeypatch):
    monkeypatch.setattr(adapter, "MOST_AT_ONCE", 1)
    xrpl.most = 4
    cursor = state(xrpl)
    paid = {xrpl.pay(SHOP, DUE, tag=tag, close=tag % 3 == 0) for tag in range(1, 31)}

    seen, turns = set(), 0
    while cursor.value != "1010":
        page = XrpNetwork().facts_since(cursor, ())
        assert int(page.cursor.value) > int(cursor.value)
        seen |= {fact.reference for fact in page.facts}
        cursor, turns = page.cursor, turns + 1

    assert seen == paid
    assert turns > 3


def test_a_ledger_with_more_payments_than_a_poll_reads_is_read_whole(xrpl, monkeypatch):
    monkeypatch.setattr(adapter, "MOST_AT_ONCE", 1)
    xrpl.most = 2
    cursor = state(xrpl)
    for tag in range(1, 12):
        xrpl.pay(SHOP, DUE, tag=tag, close=False)
    xrpl.close_ledger(2)

    page = XrpNetwork().facts_since(cursor, ())

    assert (len(page.facts), page.cursor.value) == (11, "1002")


@pytest.mark.parametrize("version", [1, 2])
def test_a_server_without_the_ledgers_since_the_cursor_is_unavailable(xrpl, version):
    xrpl.speaks = version
    cursor = state(xrpl)
    xrpl.close_ledger(50)
    xrpl.first = 1020

    with pytest.raises(NodeUnavailable, match=r"no longer has the ledgers from 1000 on.* it has 1020 to 1050.*longer history"):
        XrpNetwork().facts_since(cursor, ())


@pytest.mark.parametrize("version", [1, 2])
def test_a_server_that_lags_behind_the_cursor_is_unavailable(xrpl, version):
    xrpl.speaks = version
    with pytest.raises(NodeUnavailable, match="behind: ledger 1002 was read already, and it knows none after 1000"):
        XrpNetwork().facts_since(state(xrpl, 1002), ())


@pytest.mark.parametrize("version", [1, 2])
def test_a_server_that_falls_back_between_two_pages_is_unavailable(xrpl, version):
    """This happens when one of several servers behind an address lags."""
    xrpl.speaks, xrpl.most = version, 1
    cursor = state(xrpl)
    for tag in (1, 2, 3):
        xrpl.pay(SHOP, DUE, tag=tag)
    xrpl.asked.clear()

    def lose_a_ledger(method):
        if len(xrpl.asked) == 2:
            del xrpl.closed[xrpl.last]
        return ""

    xrpl.fault = lose_a_ledger
    with pytest.raises(NodeUnavailable, match="behind"):
        XrpNetwork().facts_since(cursor, ())


# --- the first turn ---


def test_the_first_poll_begins_at_the_last_ledger(xrpl):
    xrpl.pay(SHOP, DUE, tag=TAG)
    xrpl.close_ledger()

    page = XrpNetwork().facts_since(CursorState(), ())

    assert (page.facts, page.cursor.value) == ((), "1002")


def test_the_first_poll_finds_payments_for_earlier_orders(xrpl, now):
    option_with(TAG, now - timedelta(minutes=2))
    paid = xrpl.pay(SHOP, DUE, tag=TAG)
    xrpl.close_ledger(5)

    assert [fact.reference for fact in facts(xrpl, CursorState())] == [paid]


def test_the_first_poll_starts_at_the_servers_oldest_ledger_when_that_is_early_enough(xrpl, now):
    """At one second a ledger, ten minutes would be 600 ledgers; the server has 200, which cover more than 13 minutes."""
    option_with(TAG, now - timedelta(minutes=10))
    paid = xrpl.pay(SHOP, DUE, tag=TAG)

    assert [fact.reference for fact in facts(xrpl, CursorState())] == [paid]
    assert xrpl.methods() == ["server_info", "ledger", "account_tx"]


def test_the_first_poll_fails_when_the_servers_history_is_too_short(xrpl, now):
    option_with(TAG, now - timedelta(minutes=20))

    with pytest.raises(NodeUnavailable, match=r"no longer has the ledgers of .* UTC, .* it has 801 to 1000"):
        XrpNetwork().facts_since(CursorState(), ())


def test_orders_and_cursors_of_the_sandbox_are_ignored(xrpl, now):
    OptionFactory(network="XRP", destination="rSandbox?dt=1", created_at=now - timedelta(days=90))

    assert XrpNetwork().facts_since(CursorState("2026-11-01T12:00:00+00:00"), ()).cursor.value == "1000"


def test_the_cursor_stays_valid_at_another_server_of_the_same_network(xrpl, settings):
    cursor = state(xrpl)
    paid = xrpl.pay(SHOP, DUE, tag=TAG)
    settings.XRP_URL = f"{xrpl.url}/other"

    page = XrpNetwork().facts_since(cursor, ())

    assert [fact.reference for fact in page.facts] == [paid]
    assert page.cursor.node_id != cursor.node_id


def test_a_server_of_another_network_is_refused(xrpl, settings, now):
    cursor = state(xrpl)
    Cursor.objects.create(network="XRP", value=cursor.value, node_id=cursor.node_id)
    xrpl.network_id = 1
    settings.XRP_URL = f"{xrpl.url}/testnet"

    with pytest.raises(NodeRejected, match="network 1, but this shop has read network 0"):
        XrpNetwork().facts_since(cursor, ())
    with pytest.raises(NodeRejected, match="network 1"):
        XrpNetwork().open_destination(request_of(now))


def test_a_server_that_does_not_name_its_network_is_treated_as_the_main_network(xrpl):
    xrpl.network_id = None
    assert state(xrpl).node_id.startswith("0 ")
