"""What is looked at before the shop starts."""

import pytest

from cryptons.coins import BITCOIN, LITECOIN
from cryptons.serving.preparation import check_system
from payments.checks import check_cards, check_descriptor, check_hints, check_networks, check_node, check_rate_sources, check_sandbox
from payments.errors import NodeRejected, NodeUnavailable


def ids(messages):
    return [message.id for message in messages]


def test_a_shop_without_a_network_gets_a_warning(settings):
    settings.SANDBOX = False
    assert ids(check_networks()) == ["payments.W001"]
    settings.SANDBOX = True
    assert ids(check_networks()) == []


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:28332", "tcp://[::1]:28332", "tcp://bitcoind:1", "ipc:///run/bitcoind.zmq"])
def test_a_valid_zmq_address_passes_the_check(settings, address):
    settings.BITCOIN_ZMQ = [address]
    assert check_hints() == []


@pytest.mark.parametrize(
    "address", ["28332", "127.0.0.1:28332", "tcp://bitcoind", "tcp://:28332", "tcp://a:99999", "http://a:1", "ipc://", "tcp://a:1/x"]
)
def test_an_invalid_zmq_address_stops_the_start(settings, address):
    settings.LITECOIN_ZMQ = [address]
    (error,) = check_hints()
    assert (error.id, error.level) == ("payments.E007", 40)
    assert f"LITECOIN_ZMQ must be an address that the node publishes on, not {address!r}" in error.msg


def test_an_unknown_rate_source_stops_the_start(settings):
    settings.FIXED_RATES = {}
    settings.RATE_SOURCES = ["coinbase", "tea-leaves"]
    (error,) = check_rate_sources()
    assert error.id == "payments.E003"
    assert "tea-leaves" in error.msg


@pytest.mark.parametrize("named", [[], ["kraken"], ["kraken", "kraken"], ["kraken", "coinbase=example.com"]])
def test_too_few_rate_sources_stop_the_start(settings, named):
    settings.FIXED_RATES = {}
    settings.RATE_SOURCES = named
    assert ids(check_rate_sources()) == ["payments.E003"]


@pytest.mark.parametrize(("sandbox", "host", "expected"), [(True, "", ["payments.W009"]), (True, "127.0.0.1", []), (False, "", [])])
def test_the_deploy_check_warns_of_the_sandbox(settings, sandbox, host, expected):
    settings.SANDBOX, settings.BITCOIN_RPC_HOST = sandbox, host
    assert ids(check_sandbox()) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("public_url", "sandbox", "debug", "warned"),
    [
        ("https://shop.example", True, True, ["SANDBOX IS ON", "DEBUG IS ON"]),
        ("https://shop.example", False, False, []),
        ("http://127.0.0.1:8000", True, True, []),
    ],
)
def test_each_start_prints_that_a_public_shop_takes_play_money_or_shows_its_errors(settings, capsys, public_url, sandbox, debug, warned):
    settings.PUBLIC_URL, settings.SANDBOX, settings.DEBUG, settings.TRUSTED_PROXIES = public_url, sandbox, debug, ["127.0.0.1"]

    check_system()

    printed = capsys.readouterr().err
    assert [text for text in ("SANDBOX IS ON", "DEBUG IS ON") if f"Warning: {text}" in printed] == warned


@pytest.mark.parametrize("setting", ["BITCOIN_DESCRIPTOR", "LITECOIN_DESCRIPTOR"])
def test_a_descriptor_with_private_keys_stops_the_start(settings, setting):
    key = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
    setattr(settings, setting, f"wpkh({key}/0/*)")
    (error,) = check_descriptor()
    assert error.id == "payments.E001"
    assert setting in error.msg
    assert key not in error.msg


@pytest.mark.parametrize("coin", [BITCOIN, LITECOIN])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda: "", []),
        (lambda: "The wallet holds private keys.", ["payments.E002"]),
        (NodeRejected("The node is on another chain."), ["payments.E002"]),
        (NodeUnavailable("The node does not answer."), ["payments.W002"]),
    ],
)
def test_a_wrong_node_stops_the_start_and_an_unreachable_one_is_a_warning(settings, monkeypatch, coin, answer, expected):
    def wallet_problem(asked):
        assert asked == coin
        if isinstance(answer, Exception):
            raise answer
        return answer()

    setattr(settings, coin.setting("RPC_HOST"), "127.0.0.1")
    monkeypatch.setattr("payments.checks.wallet_problem", wallet_problem)
    assert ids(check_node()) == expected


def test_each_node_is_checked_and_named(settings):
    settings.BITCOIN_RPC_HOST = settings.LITECOIN_RPC_HOST = "127.0.0.1"
    settings.BITCOIN_RPC_PORT = settings.LITECOIN_RPC_PORT = 1
    assert [message.msg for message in check_node()] == [
        f"The {name} node does not answer (ConnectionRefusedError). The shop starts, and takes {name} once it does."
        for name in ("Bitcoin", "Litecoin")
    ]


@pytest.mark.parametrize(
    ("key", "currency", "sandbox", "found"),
    [
        ("", "USD", False, []),
        ("sk_live_1", "USD", False, []),
        ("rk_test_1", "USD", True, []),
        ("sk_test_1", "USD", False, ["payments.W011"]),
        ("pk_live_1", "USD", False, ["payments.E008"]),
        ("sk_live_1", "JPY", False, ["payments.W010"]),
    ],
)
def test_the_key_of_stripe_must_fit_the_shop(settings, key, currency, sandbox, found):
    settings.STRIPE_SECRET_KEY, settings.CURRENCY, settings.SANDBOX = key, currency, sandbox
    settings.STRIPE_WEBHOOK_SECRET = ["whsec_1"]
    assert ids(check_cards()) == found
    settings.STRIPE_WEBHOOK_SECRET = []
    assert ids(check_cards()) == found + (["payments.W012"] if key and not {"payments.E008", "payments.W010"} & set(found) else [])
