"""A server of the XRP Ledger that is away, overloaded, or not itself."""

import pytest

from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.xrp.network import XrpNetwork
from payments.networks.xrp.tests.conftest import request_of, state

pytestmark = pytest.mark.django_db


PASSING = {
    "slowDown": "overloaded",
    "tooBusy": "overloaded",
    "503": "overloaded",
    "noNetwork": "not in step",
    "noCurrent": "not in step",
    "noClosed": "not in step",
    "notSynced": "not in step",
    "amendmentBlocked": "update it",
    "internal": "Internal error.",
    "garbage": "not the JSON-RPC",
    "list": "not the JSON-RPC",
    "nothing": "not the JSON-RPC",
    "hang": "in time",
    "drip": "in time",
}
LASTING = {
    "actMalformed": "XRP_ADDRESS",
    "noPermission": "does not allow",
    "unknownCmd": "does not know",
    "403": "does not allow",
    "404": "not the JSON-RPC",
    "old": "too old",
}


@pytest.mark.parametrize(("fault", "says"), PASSING.items())
def test_what_may_pass_is_unavailable(xrpl, now, settings, fault, says):
    cursor = state(xrpl)
    settings.NODE_TIMEOUT_SECONDS = 1
    xrpl.fault = fault

    with pytest.raises(NodeUnavailable, match=says):
        XrpNetwork().facts_since(cursor, ())
    with pytest.raises(NodeUnavailable, match=says):
        XrpNetwork().open_destination(request_of(now))
    assert says in XrpNetwork().health().problem


@pytest.mark.parametrize(("fault", "says"), LASTING.items())
def test_what_waiting_will_not_mend_is_rejected(xrpl, now, fault, says):
    cursor = state(xrpl)
    xrpl.fault = fault

    with pytest.raises(NodeRejected, match=says):
        XrpNetwork().facts_since(cursor, ())
    with pytest.raises(NodeRejected, match=says):
        XrpNetwork().open_destination(request_of(now))
    assert says in XrpNetwork().health().problem


def test_nothing_is_asked_twice_behind_the_shops_back(xrpl, settings):
    cursor = state(xrpl)
    settings.NODE_TIMEOUT_SECONDS = 1
    xrpl.asked.clear()
    xrpl.fault = "hang"

    with pytest.raises(NodeUnavailable):
        XrpNetwork().facts_since(cursor, ())

    assert xrpl.methods() == ["account_tx"]


def test_a_server_that_is_gone_is_unavailable(xrpl):
    cursor = state(xrpl)
    with xrpl.away(), pytest.raises(NodeUnavailable, match="does not answer"):
        XrpNetwork().facts_since(cursor, ())


def test_an_answer_that_lacks_what_matters_is_unavailable(xrpl, monkeypatch):
    cursor = state(xrpl)
    monkeypatch.setattr(xrpl, "answer", lambda method, params: {"transactions": [], "ledger_index_min": 1000})

    with pytest.raises(NodeUnavailable, match="cannot be understood"):
        XrpNetwork().facts_since(cursor, ())


def test_an_amendment_blocked_server_takes_no_orders(xrpl, now):
    xrpl.amendment_blocked = True
    with pytest.raises(NodeUnavailable, match="amendment blocked"):
        XrpNetwork().open_destination(request_of(now))


def test_a_server_that_is_well_tells_its_ledger(xrpl):
    health = XrpNetwork().health()
    assert (health.problem, health.height) == ("", 1000)
