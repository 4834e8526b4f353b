"""The settings of XRP, and what is said of them at the start."""

import pytest
from django.core import checks

from payments.checks import check_xrp_address, check_xrp_server
from payments.networks.registry import is_sandbox, network_states, offered_networks
from payments.networks.xrp.tests.conftest import first_turn
from tests.fake_rippled import (
    BUYER,
    DEPOSIT_AUTH,
    DISALLOW_XRP,
    REQUIRE_TAG,
    SHOP,
)

pytestmark = pytest.mark.django_db


def test_a_server_of_the_ledger_ends_the_sandbox(settings):
    settings.SANDBOX, settings.XRP_URL = True, "http://127.0.0.1:5005"
    assert not is_sandbox()
    assert offered_networks() == ("XRP",)


def test_a_server_that_failed_is_not_offered(xrpl, now):
    with xrpl.away():
        first_turn()
    (network,) = network_states()
    assert (network.code, "cannot be reached" in network.problem) == ("XRP", True)


@pytest.mark.parametrize("address", ["r", SHOP[:-1], SHOP.lower(), f"{SHOP[:10]}{SHOP[11]}{SHOP[10]}{SHOP[12:]}", f"X{SHOP[1:]}", "é"])
def test_an_address_with_a_slip_in_it_stops_the_start(settings, address):
    settings.XRP_ADDRESS = address
    (error,) = check_xrp_address()
    assert (error.id, error.level) == ("payments.E005", checks.ERROR)


def test_a_right_address_does_not(settings):
    for settings.XRP_ADDRESS in ("", SHOP, BUYER):
        assert check_xrp_address() == []


@pytest.mark.parametrize(
    ("flags", "network_id", "expected"),
    [
        (REQUIRE_TAG, 0, []),
        (REQUIRE_TAG, None, []),
        (REQUIRE_TAG, 1, ["payments.W006"]),
        (0, 0, ["payments.W007"]),
        (REQUIRE_TAG | DISALLOW_XRP, 0, ["payments.W008"]),
        (REQUIRE_TAG | DEPOSIT_AUTH, 0, ["payments.E006"]),
    ],
)
def test_what_is_odd_about_server_and_account_is_said_at_the_start(xrpl, flags, network_id, expected):
    xrpl.accounts[SHOP], xrpl.network_id = flags, network_id
    assert [message.id for message in check_xrp_server()] == expected


@pytest.mark.parametrize(("fault", "expected"), [("noNetwork", "payments.W005"), ("503", "payments.W005"), ("403", "payments.E006")])
def test_an_absent_server_does_not_stop_the_start_and_a_wrong_one_does(xrpl, fault, expected):
    xrpl.fault = fault
    assert [message.id for message in check_xrp_server()] == [expected]


def test_no_server_is_asked_where_none_is_set(settings):
    settings.XRP_URL = settings.XRP_ADDRESS = ""
    assert check_xrp_server() == check_xrp_address() == []
