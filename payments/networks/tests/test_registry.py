"""Which networks the shop offers, and how they stood at their followers' last turns."""

import pytest
from django.utils import timezone

from payments.errors import NetworkNotOffered
from payments.models import Cursor
from payments.networks.bitcoin.network import BitcoinNetwork
from payments.networks.lightning.network import LightningNetwork
from payments.networks.registry import get_network, is_sandbox, network_states, networks, offered_networks
from payments.networks.sandbox.network import SandboxNetwork
from payments.networks.xrp.network import XrpNetwork

pytestmark = pytest.mark.django_db


@pytest.fixture
def nodes(settings):
    """One of each kind; nobody asks them."""
    settings.BITCOIN_RPC_HOST = settings.LITECOIN_RPC_HOST = settings.LND_HOST = "127.0.0.1"
    settings.XRP_URL = "http://127.0.0.1:5005"


def fail(*codes):
    for code in codes:
        Cursor.objects.create(network=code, failing_since=timezone.now())


def test_each_configured_node_is_a_network_with_its_adapter(nodes):
    adapters = {code: type(network) for code, network in networks().items()}
    assert adapters == {"BTC": BitcoinNetwork, "BTC-LN": LightningNetwork, "LTC": BitcoinNetwork, "XRP": XrpNetwork}
    assert [get_network(code).code for code in adapters] == list(adapters)


@pytest.mark.parametrize(
    ("setting", "code"), [("BITCOIN_RPC_HOST", "BTC"), ("LITECOIN_RPC_HOST", "LTC"), ("LND_HOST", "BTC-LN"), ("XRP_URL", "XRP")]
)
def test_the_first_real_node_ends_the_sandbox(settings, setting, code):
    assert is_sandbox()
    setattr(settings, setting, "http://127.0.0.1")
    assert not is_sandbox()
    assert offered_networks() == (code,)


def test_each_coin_has_a_sandbox_network_in_the_sandbox():
    assert {"BTC", "LTC", "XRP"} <= set(offered_networks())
    assert {type(network) for network in networks().values()} == {SandboxNetwork}


def test_no_network_is_offered_without_the_sandbox_and_without_nodes(settings):
    settings.SANDBOX = False
    assert networks() == {}
    assert network_states() == []


@pytest.mark.parametrize(("code", "named"), [("LTC", "Litecoin"), ("DOGE", "DOGE")])
def test_a_network_without_a_node_is_not_offered(settings, code, named):
    settings.BITCOIN_RPC_HOST = "127.0.0.1"
    with pytest.raises(NetworkNotOffered, match=named):
        get_network(code)


def test_lightning_and_bitcoin_are_offered_as_one_choice(nodes):
    assert [state.code for state in network_states()] == ["BTC", "LTC", "XRP"]


def test_lightning_is_a_separate_choice_while_the_bitcoin_node_fails(nodes):
    fail("BTC")
    states = {state.code: state.problem for state in network_states()}
    assert set(states) == {"BTC", "BTC-LN", "LTC", "XRP"}
    assert "cannot be reached" in states["BTC"]
    assert states["BTC-LN"] == ""


def test_lightning_is_a_separate_choice_without_a_bitcoin_node(settings):
    settings.LND_HOST = "127.0.0.1"
    assert [state.code for state in network_states()] == ["BTC-LN"]


def test_a_test_key_takes_cards_in_the_sandbox_alone(settings):
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    assert is_sandbox()
    assert offered_networks() == ("BTC", "LTC", "XRP", "CARD")
    settings.LND_HOST = "127.0.0.1"
    assert offered_networks() == ("BTC-LN",)
    settings.LND_HOST, settings.SANDBOX = "", False
    assert offered_networks() == ()


def test_a_live_key_ends_the_sandbox_and_takes_cards(settings):
    settings.STRIPE_SECRET_KEY = "rk_live_1"
    assert not is_sandbox()
    assert [state.name for state in network_states()] == ["Card"]
    settings.CURRENCY = "JPY"
    assert offered_networks() == ()
