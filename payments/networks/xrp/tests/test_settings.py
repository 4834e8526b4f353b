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


def test_an_xrp_server_ends_the_sandbox(settings):
    settings.SANDBOX, settings.XRP_URL = True, "http://127.0.0.1:5005"
    assert not is_sandbox()
    assert offered_networks() == ("XRP",)


def test_xrp_has_a_problem_in_the_list_of_networks_when_its_server_failed(xrpl, now):
    with xrpl.away():
        first_turn()
    (network,) = network_states()
    assert (network.code, "cannot be reached" in network.problem) == ("XRP", True)


@pytest.mark.parametrize("address", ["r", SHOP[:-1], SHOP.lower(), f"{SHOP[:10]}{SHOP[11]}{SHOP[10]}{SHOP[12:]}", f"X{SHOP[1:]}", "é"])
def test_a_mistyped_xrp_address_stops_the_start(settings, address):
    settings.XRP_ADDRESS = address
    (error,) = check_xrp_address()
    assert (error.id, error.level) == ("payments.E005", checks.ERROR)


def test_a_valid_or_empty_xrp_address_does_not_stop_the_start(settings):
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
def test_each_problem_of_the_xrp_server_and_account_is_reported_at_the_start(xrpl, flags, network_id, expected):
    xrpl.accounts[SHOP], xrpl.network_id = flags, network_id
    assert [message.id for message in check_xrp_server()] == expected


@pytest.mark.parametrize(("fault", "expected"), [("noNetwork", "payments.W005"), ("503", "payments.W005"), ("403", "payments.E006")])
def test_an_unreachable_xrp_server_is_a_warning_and_a_wrong_one_stops_the_start(xrpl, fault, expected):
    xrpl.fault = fault
    assert [message.id for message in check_xrp_server()] == [expected]


def test_no_xrp_server_is_asked_when_none_is_configured(settings):
    settings.XRP_URL = settings.XRP_ADDRESS = ""
    assert check_xrp_server() == check_xrp_address() == []
