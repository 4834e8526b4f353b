"""A server of the XRP Ledger that is away, overloaded, or not itself."""

import pytest
from django.utils.translation import override

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
def test_a_temporary_error_of_the_xrp_server_is_unavailable(xrpl, now, settings, fault, says):
    cursor = state(xrpl)
    if says == "in time":
        settings.NODE_TIMEOUT_SECONDS = 1
    xrpl.fault = fault

    with pytest.raises(NodeUnavailable, match=says):
        XrpNetwork().facts_since(cursor, ())
    with pytest.raises(NodeUnavailable, match=says):
        XrpNetwork().open_destination(request_of(now))
    assert says in XrpNetwork().health().problem


def test_a_server_that_is_away_is_reported_in_the_active_language(settings):
    settings.XRP_URL = "http://127.0.0.1:1"
    with override("de"):
        assert XrpNetwork().health().problem == "Der XRP-Server antwortet nicht (ConnectionRefusedError)."


@pytest.mark.parametrize(("fault", "says"), LASTING.items())
def test_a_permanent_error_of_the_xrp_server_is_rejected(xrpl, now, fault, says):
    cursor = state(xrpl)
    xrpl.fault = fault

    with pytest.raises(NodeRejected, match=says):
        XrpNetwork().facts_since(cursor, ())
    with pytest.raises(NodeRejected, match=says):
        XrpNetwork().open_destination(request_of(now))
    assert says in XrpNetwork().health().problem


def test_a_request_that_timed_out_is_not_repeated(xrpl, settings):
    cursor = state(xrpl)
    settings.NODE_TIMEOUT_SECONDS = 1
    xrpl.asked.clear()
    xrpl.fault = "hang"

    with pytest.raises(NodeUnavailable):
        XrpNetwork().facts_since(cursor, ())

    assert xrpl.methods() == ["account_tx"]


def test_an_unreachable_xrp_server_is_unavailable(xrpl):
    cursor = state(xrpl)
    with xrpl.away(), pytest.raises(NodeUnavailable, match="does not answer"):
        XrpNetwork().facts_since(cursor, ())


def test_an_answer_without_the_expected_fields_is_unavailable(xrpl, monkeypatch):
    cursor = state(xrpl)
    monkeypatch.setattr(xrpl, "answer", lambda method, params: {"transactions": [], "ledger_index_min": 1000})

    with pytest.raises(NodeUnavailable, match="cannot be understood"):
        XrpNetwork().facts_since(cursor, ())


def test_an_amendment_blocked_server_gives_no_destination(xrpl, now):
    xrpl.amendment_blocked = True
    with pytest.raises(NodeUnavailable, match="amendment blocked"):
        XrpNetwork().open_destination(request_of(now))


def test_health_of_a_healthy_xrp_server_has_its_ledger_and_no_problem(xrpl):
    health = XrpNetwork().health()
    assert (health.problem, health.height) == ("", 1000)
