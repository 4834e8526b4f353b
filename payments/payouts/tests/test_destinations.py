"""Where a refund is sent to: each destination that would lose the money is refused with a sentence."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from payments.errors import NodeUnavailable
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.lightning.tests.test_bolt11 import DONATION, HASH
from payments.payouts import destinations
from payments.payouts.destinations import BadDestination, check_destination, check_request
from payments.tests.factories import DUE, NOW, OptionFactory, PayoutFactory

pytestmark = pytest.mark.django_db

WHEN_IT_WAS_MADE = datetime(2017, 6, 1, 10, tzinfo=UTC)
XRP_ADDRESS = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"


@pytest.fixture
def mainnet(settings):
    settings.SANDBOX = False
    settings.BITCOIN_NETWORK = "mainnet"


@pytest.fixture
def bitcoind(mainnet, settings, monkeypatch):
    """A node that knows one address."""
    settings.BITCOIN_RPC_HOST = "127.0.0.1"
    monkeypatch.setattr(chain_payouts, "is_address", lambda coin, address: address == "bc1qhome")


@pytest.mark.parametrize(
    ("network", "text"),
    [
        ("BTC", "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"),
        ("BTC", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"),
        ("BTC", "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
        ("BTC", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        ("XRP", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"),
    ],
)
def test_the_sandbox_takes_real_addresses(settings, network, text):
    settings.BITCOIN_RPC_HOST = ""
    assert check_destination(network, text, DUE, at=NOW).lower() == text.lower()


@pytest.mark.parametrize(
    ("network", "text"),
    [
        ("BTC", "anything at all"),
        ("BTC", "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9s"),
        ("BTC", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"),
        ("BTC", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3"),
        ("BTC", "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"),
        ("BTC", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"),
        ("LTC", "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"),
        ("LTC", "abcdefgh"),
        ("XRP", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTi"),
    ],
)
def test_the_sandbox_refuses_what_a_real_node_would_refuse(settings, network, text):
    settings.BITCOIN_RPC_HOST = ""
    with pytest.raises(BadDestination):
        check_destination(network, text, DUE, at=NOW)


def test_an_empty_destination_is_refused():
    with pytest.raises(BadDestination, match="enter an address"):
        check_destination("BTC", "  ", DUE, at=NOW)


@pytest.mark.parametrize("text", ["bc1qhome", " bc1qhome ", "BITCOIN:BC1QHOME?amount=1", "bitcoin:bc1qhome"])
def test_an_address_is_stored_without_its_uri_and_in_lower_case(bitcoind, text):
    assert check_destination("BTC", text, DUE, at=NOW) == "bc1qhome"


def test_an_address_that_is_invalid_on_the_chain_is_refused(bitcoind):
    with pytest.raises(BadDestination, match="not a valid Bitcoin address on main"):
        check_destination("BTC", "bc1qother", DUE, at=NOW)


def test_an_address_of_the_shop_is_refused(bitcoind):
    OptionFactory(destination="bc1qhome")
    with pytest.raises(BadDestination, match="address of this shop"):
        check_destination("BTC", "BC1QHOME", DUE, at=NOW)


def test_a_coin_without_a_node_cannot_be_checked(mainnet):
    with pytest.raises(NodeUnavailable, match="Litecoin cannot be sent"):
        check_destination("LTC", "ltc1qhome", DUE, at=NOW)


def test_an_mweb_address_is_refused(mainnet):
    with pytest.raises(BadDestination, match="MWEB"):
        check_destination("LTC", "ltcmweb1qhome", DUE, at=NOW)


@pytest.mark.parametrize("address", [XRP_ADDRESS, f"{XRP_ADDRESS}?dt=0", f"{XRP_ADDRESS}?dt=4294967295"])
def test_an_xrp_address_may_have_a_tag(mainnet, address):
    assert check_destination("XRP", address, DUE, at=NOW) == address


@pytest.mark.parametrize("address", ["rNobody", f"{XRP_ADDRESS[:-1]}i", f"{XRP_ADDRESS}?dt=x", f"{XRP_ADDRESS}?dt=4294967296"])
def test_a_mistyped_xrp_address_is_refused(mainnet, address):
    with pytest.raises(BadDestination, match="not a valid XRP address"):
        check_destination("XRP", address, DUE, at=NOW)


def test_a_lightning_invoice_is_stored_without_its_uri_and_in_lower_case(mainnet):
    assert check_destination("BTC-LN", f"LIGHTNING:{DONATION.upper()}", DUE, at=WHEN_IT_WAS_MADE) == DONATION


def test_an_expired_lightning_invoice_is_refused(mainnet):
    with pytest.raises(BadDestination, match="has expired"):
        check_destination("BTC-LN", DONATION, DUE, at=NOW)
    assert check_request(DONATION, DUE, at=None).payment_hash == HASH


def test_a_lightning_invoice_of_another_payout_or_of_the_shop_is_refused(mainnet):
    payout = PayoutFactory(network="BTC-LN", reference=HASH)
    with pytest.raises(BadDestination, match="already used"):
        check_destination("BTC-LN", DONATION, DUE, at=WHEN_IT_WAS_MADE)
    payout.delete()
    OptionFactory(network="BTC-LN", destination=HASH)
    with pytest.raises(BadDestination, match="invoice of this shop"):
        check_destination("BTC-LN", DONATION, DUE, at=WHEN_IT_WAS_MADE)


def test_a_lightning_invoice_of_another_chain_is_refused(settings):
    with pytest.raises(BadDestination, match="but this shop uses regtest"):
        check_destination("BTC-LN", DONATION, DUE, at=WHEN_IT_WAS_MADE)


def test_a_lightning_invoice_for_another_amount_is_refused(mainnet, monkeypatch):
    request = SimpleNamespace(chain="mainnet", amount_msat=1_000, expires_at=NOW, payment_hash=HASH)
    monkeypatch.setattr(destinations, "read_request", lambda text: request)
    with pytest.raises(BadDestination, match="exactly 2 sat"):
        check_request("lnbc", 2_000, at=None)


def test_an_invalid_lightning_invoice_is_refused(mainnet):
    with pytest.raises(BadDestination):
        check_destination("BTC-LN", "lnbc1nonsense", DUE, at=NOW)
