"""A conversation with a bitcoind that refuses, is overloaded, starts up, hangs, or is something else."""

import threading
import time

import pytest
from django.utils.translation import override

from cryptons.coins import BITCOIN, LITECOIN
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.bitcoin.rpc import Conversation
from payments.networks.bitcoin.wallet import open_wallet
from payments.networks.json_rpc import RpcError
from tests.running import wait_for


@pytest.fixture
def node(bitcoind):
    conversation = Conversation(BITCOIN, "/")
    yield conversation
    conversation.close()


def test_a_call_returns_the_result(node):
    assert node.call("getblockcount") == 150


def test_user_and_password_are_not_percent_decoded(node, bitcoind):
    assert "%25" in bitcoind.password
    assert node.call("getblockcount") == 150


def test_the_calls_of_one_conversation_share_a_connection(node, bitcoind):
    for _ in range(3):
        node.call("getblockcount")
    assert bitcoind.connections == 1


def test_a_wrong_password_is_reported_with_the_names_of_the_settings(node, bitcoind):
    bitcoind.password = "another"
    with pytest.raises(NodeRejected, match="refuses BITCOIN_RPC_USER and BITCOIN_RPC_PASS"):
        node.call("getblockcount")


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("403", NodeRejected, "rpcallowip"),
        ("503", NodeUnavailable, "work queue is full"),
        (-28, NodeUnavailable, "is starting up"),
        ("page", NodeUnavailable, "BITCOIN_RPC_HOST"),
        ("half", NodeUnavailable, "BITCOIN_RPC_HOST"),
        ("list", NodeUnavailable, "BITCOIN_RPC_HOST"),
        ("other id", NodeUnavailable, "BITCOIN_RPC_HOST"),
        ("no result", NodeUnavailable, "BITCOIN_RPC_HOST"),
        ("hang", NodeUnavailable, "in time"),
        ("drip", NodeUnavailable, "in time"),
        ("drop", NodeUnavailable, "does not answer"),
    ],
)
def test_each_failure_of_the_node_is_explained_in_words(node, bitcoind, settings, fault, error, says):
    if says == "in time":
        settings.NODE_TIMEOUT_SECONDS = 1
    bitcoind.fault = fault
    conversation = Conversation(BITCOIN, "/")

    with pytest.raises(error, match=says):
        conversation.call("getblockcount")

    conversation.close()
    wait_for("the node to notice", bitcoind.methods)
    assert bitcoind.methods() == ["getblockcount"]


def test_a_failure_is_explained_in_the_active_language(node, bitcoind):
    bitcoind.fault = "503"
    with override("de"), pytest.raises(NodeUnavailable, match=r"^Der Bitcoin-Node ist überlastet: Seine Warteschlange ist voll\.$"):
        node.call("getblockcount")


def test_a_node_that_answers_too_slowly_is_given_up_after_node_timeout_seconds(bitcoind, settings):
    settings.NODE_TIMEOUT_SECONDS = 1
    bitcoind.fault = "drip"
    conversation, began = Conversation(BITCOIN, "/"), time.monotonic()

    with pytest.raises(NodeUnavailable):
        conversation.call("getblockcount")

    conversation.close()
    assert time.monotonic() - began < 30, "it drips for a minute"


def test_a_longer_timeout_applies_to_the_calls_after_it(node, bitcoind, settings):
    settings.NODE_TIMEOUT_SECONDS = 1
    conversation, is_given_up = Conversation(BITCOIN, "/"), threading.Event()
    bitcoind.fault = lambda method: bitcoind.wait_until_stopped(1.3) or "" if is_given_up.wait(60) else ""

    with pytest.raises(NodeUnavailable, match="in time"):
        conversation.call("getblockcount")
    is_given_up.set()
    conversation.be_patient(60)

    assert conversation.call("getblockcount") == 150
    conversation.close()


@pytest.mark.parametrize(("method", "code"), [("getblockhash", -8), ("nonsense", -32601)])
def test_the_nodes_own_errors_keep_their_codes(node, method, code):
    with pytest.raises(RpcError) as error:
        node.call(method, *([9999] if code == -8 else []))
    assert error.value.code == code


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_a_host_may_be_an_ipv6_address(node, settings, host):
    settings.BITCOIN_RPC_HOST, settings.BITCOIN_RPC_PORT = host, 1
    conversation = Conversation(BITCOIN, "/")
    with pytest.raises(NodeUnavailable, match=r"does not answer \((ConnectionRefusedError|OSError)\)"):
        conversation.call("getblockcount")
    conversation.close()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("::1", "http://[::1]:18443"),
        ("[::1]", "http://[::1]:18443"),
        ("[::1]:18444", "http://[::1]:18444"),
        ("node.example:18444", "http://node.example:18444"),
        ("http://node.example", "http://node.example:18443"),
    ],
)
@pytest.mark.parametrize("coin", [BITCOIN, LITECOIN], ids=["BTC", "LTC"])
def test_the_address_of_the_node_may_be_an_ipv6_address_or_have_a_port(settings, coin, host, url):
    for name, value in {"RPC_HOST": host, "RPC_PORT": 18443, "RPC_USER": "shop", "RPC_PASS": "secret"}.items():
        setattr(settings, coin.setting(name), value)
    conversation = Conversation(coin, "/")
    assert conversation._client._url == url
    conversation.close()


def test_a_node_without_wallets_is_explained_in_words(bitcoind):
    bitcoind.fault = lambda method: -32601 if "wallet" in method else ""
    with pytest.raises(NodeRejected, match="runs without wallets, which the shop needs"), open_wallet(BITCOIN):
        pass
