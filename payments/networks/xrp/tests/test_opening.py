"""Destination tags, and the servers and accounts that can take no money."""

from decimal import Decimal

import pytest

from cryptons.money import Minor
from payments.errors import NodeRejected, NodeUnavailable
from payments.invoices.opening import prepare_offer
from payments.models import Cursor
from payments.networks.base import CursorState
from payments.networks.xrp import network as adapter
from payments.networks.xrp.network import XrpNetwork
from payments.networks.xrp.tests.conftest import DUE, TAG, facts, request_of, state
from tests.fake_rippled import (
    DEPOSIT_AUTH,
    REQUIRE_TAG,
    SHOP,
)

pytestmark = pytest.mark.django_db


def test_each_destination_has_its_own_tag(xrpl, now):
    texts = [XrpNetwork().open_destination(request_of(now)).text for _ in range(20)]

    assert len(set(texts)) == 20
    for text in texts:
        address, _, tag = text.partition("?dt=")
        assert (address, 0 < int(tag) < 2**32) == (SHOP, True)


def test_a_tag_that_was_used_before_is_not_offered_again(xrpl, option, now, monkeypatch, settings):
    settings.FIXED_RATES = {"XRP": Decimal("0.50")}
    drawn = iter([TAG - 1, TAG - 1, TAG])
    monkeypatch.setattr(adapter.secrets, "randbelow", lambda most: next(drawn))

    offer = prepare_offer("XRP", Minor(10_000), label="order_1", at=now)

    assert (offer.destination, offer.due_base) == (f"{SHOP}?dt={TAG + 1}", DUE)


@pytest.mark.parametrize("server_state", ["disconnected", "connected", "syncing", "tracking"])
def test_a_server_that_is_not_synced_gives_no_destination(xrpl, now, server_state):
    xrpl.server_state = server_state
    with pytest.raises(NodeUnavailable, match="not in step"):
        XrpNetwork().open_destination(request_of(now))


@pytest.mark.parametrize("server_state", ["full", "proposing", "validating", None])
def test_a_server_that_is_synced_gives_a_destination(xrpl, now, server_state):
    """A Clio server reports no `server_state`."""
    xrpl.server_state = server_state
    assert XrpNetwork().open_destination(request_of(now))


def test_a_server_whose_last_ledger_is_old_gives_no_destination(xrpl, now):
    xrpl.age = 90
    with pytest.raises(NodeUnavailable, match="0:01:30 old"):
        XrpNetwork().open_destination(request_of(now))


def test_an_account_that_does_not_exist_yet_gives_no_destination_and_has_no_payments(xrpl, now):
    del xrpl.accounts[SHOP]

    with pytest.raises(NodeUnavailable, match=f"account {SHOP} does not exist yet: send it"):
        XrpNetwork().open_destination(request_of(now))
    assert facts(xrpl, CursorState()) == ()
    assert "does not exist yet" in XrpNetwork().health().problem


def test_an_account_with_deposit_authorisation_gives_no_destination(xrpl, now):
    xrpl.accounts[SHOP] = REQUIRE_TAG | DEPOSIT_AUTH
    with pytest.raises(NodeRejected, match="DepositAuth"):
        XrpNetwork().open_destination(request_of(now))


def test_a_server_without_the_ledgers_that_the_follower_needs_gives_no_destination(xrpl, now):
    cursor = state(xrpl)
    Cursor.objects.create(network="XRP", value=cursor.value, node_id=cursor.node_id)
    xrpl.close_ledger(50)
    xrpl.first = 1020

    with pytest.raises(NodeUnavailable, match="no longer has the ledgers from 1000 on"):
        XrpNetwork().open_destination(request_of(now))
    assert "no longer has" in XrpNetwork().health().problem
