"""What staff are told of each node."""

import socket
from datetime import timedelta

import pytest
from django.utils import timezone

from payments.models import Payment
from payments.networks.lightning.lnd.lightning_pb2 import WalletState
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401
from payments.sync.node_health import read_nodes
from payments.tests.factories import CursorFactory, OptionFactory, PaymentFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def heard(lnd, now):
    """The follower took its turn a moment ago."""
    return CursorFactory(network="BTC-LN", node_id=f"{lnd.pubkey} credentials", tip_height=None, answered_at=now)


def report_of(now, network="BTC-LN"):
    (report,) = [report for report in read_nodes(at=now) if report.network == network]
    return report


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine may take longer than staff do."""
    monkeypatch.setattr("payments.sync.node_health.WITHIN", timedelta(seconds=60))


@pytest.fixture
def hanging_bitcoind(settings, monkeypatch):
    """Takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.BITCOIN_RPC_HOST, settings.BITCOIN_RPC_PORT = server.getsockname()
        settings.BITCOIN_RPC_USER = settings.BITCOIN_RPC_PASS = "x"
        settings.NODE_TIMEOUT_SECONDS = 60
        monkeypatch.setattr("payments.sync.node_health.WITHIN", timedelta(seconds=5))
        yield


def test_a_healthy_lnd_is_reported_with_its_figures(lnd, heard, now):
    lnd.add_channel(local=7_000_000, remote=7_000_000, active=False)

    report = report_of(now)

    health = report.health
    assert (report.state, report.warnings, health.problem) == ("ok", (), "")
    assert (health.height, health.peers, health.version) == (800_000, 1, "lnd 0.21.3-beta")
    assert (health.channels, health.active_channels) == (2, 1)
    assert (health.receivable_base, health.spendable_base) == (1_990_000_000, 2_990_000_000)
    assert report.milliseconds is not None


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda lnd: setattr(lnd, "state", WalletState.LOCKED), "LND's wallet is locked: unlock it with `lncli unlock`."),
        (lambda lnd: setattr(lnd, "state", WalletState.WAITING_TO_START), "LND is starting up."),
        (lambda lnd: setattr(lnd, "state", WalletState.NON_EXISTING), "LND has no wallet yet: make one with `lncli create`."),
        (lambda lnd: lnd.hanging.add("GetState"), "LND does not answer in time. Check whether it is responding."),
        (lambda lnd: lnd.hanging.add("ListChannels"), "LND does not answer in time. Check whether it is responding."),
        (
            lambda lnd: setattr(lnd, "macaroon", "ff"),
            "LND refuses LND_MACAROON: it was made by another node, or was revoked. Bake a new one.",
        ),
        (lambda lnd: lnd.stop(), "LND does not answer: no connection to LND_HOST. Is it running?"),
    ],
)
def test_each_problem_of_lnd_is_reported_in_one_sentence(lnd, heard, now, break_it, says):
    break_it(lnd)
    report = report_of(now)
    assert (report.state, report.health.problem, report.milliseconds) == ("trouble", says, None)


def test_an_lnd_without_its_bitcoin_node_needs_attention_and_still_serves(lnd, heard, now, monkeypatch):
    monkeypatch.setattr("payments.networks.lightning.network.HEALTH", timedelta(seconds=60))
    lnd.hanging.add("GetInfo")

    report = report_of(now)

    assert (report.state, report.health.problem) == ("attention", "")
    assert "is its Bitcoin node down? Lightning payments still arrive" in report.warnings[0]
    assert report.health.channels == 1


def test_an_lnd_that_is_catching_up_is_a_warning(lnd, heard, now):
    lnd.is_synced = False
    assert report_of(now).warnings == ("LND is still catching up with the chain. Lightning payments arrive all the same.",)


def test_a_node_that_hangs_does_not_hide_the_others(lnd, heard, hanging_bitcoind, now):
    reports = {report.network: report for report in read_nodes(at=now)}
    assert reports["BTC"].health.problem == "The Bitcoin node does not answer in time. Check whether it is responding."
    assert (reports["BTC"].state, reports["BTC-LN"].state) == ("trouble", "ok")


def test_a_bug_in_a_health_check_is_reported_as_trouble(lnd, heard, monkeypatch, now):
    def broken(self):
        raise KeyError("a bug")

    monkeypatch.setattr("payments.networks.lightning.network.LightningNetwork.health", broken)
    report = report_of(now)
    assert (report.state, "KeyError" in report.health.problem) == ("trouble", True)


def test_the_sandbox_networks_are_healthy(now):
    for network in ("BTC", "LTC", "XRP"):
        CursorFactory(network=network, tip_height=90, answered_at=now)
    reports = read_nodes(at=now)
    assert [(report.network, report.state, report.follower_behind) for report in reports] == [
        ("BTC", "ok", 10),
        ("LTC", "ok", 10),
        ("XRP", "ok", 10),
    ]


@pytest.mark.parametrize(
    ("cursor", "says"),
    [
        ({}, "The node was never polled"),
        ({"answered_at": timedelta(minutes=3)}, "UTC, so payments are noticed late. Check that the worker runs."),
        ({"answered_at": timedelta(minutes=1)}, ""),
        ({"answered_at": timedelta(0), "failing_since": timedelta(hours=1), "last_error": "It is away."}, ": It is away."),
    ],
)
def test_a_follower_that_does_not_poll_is_a_warning(now, cursor, says):
    values = {"answered_at": None} | {name: now - value if isinstance(value, timedelta) else value for name, value in cursor.items()}
    CursorFactory(**values)
    warnings = report_of(now, "BTC").warnings
    assert [says in warning for warning in warnings] == ([True] if says else [])


def test_a_problem_shared_by_the_node_and_its_follower_is_reported_once(lnd, heard, now):
    lnd.state = WalletState.LOCKED
    heard.failing_since, heard.last_error = now, "LND's wallet is locked: unlock it with `lncli unlock`."
    heard.save()
    (warning,) = report_of(now).warnings
    assert "unlock" not in warning


def test_the_oldest_payment_that_waits_to_be_evaluated_is_reported_by_network(now):
    CursorFactory(answered_at=now)
    for minutes, touched, network in [(90, False, "BTC"), (30, True, "BTC"), (20, True, "BTC"), (40, True, "LTC")]:
        option = OptionFactory(network=network, invoice__needs_settling=touched)
        payment = PaymentFactory(option=option)
        Payment.objects.filter(pk=payment.pk).update(updated_at=now - timedelta(minutes=minutes))

    report = report_of(now, "BTC")

    assert report.oldest_unsettled_at == now - timedelta(minutes=30)
    assert "still waits to be processed" in report.warnings[0]


def test_a_payment_that_has_just_come_is_no_warning(now):
    CursorFactory(answered_at=now)
    payment = PaymentFactory(option=OptionFactory(invoice__needs_settling=True))
    Payment.objects.filter(pk=payment.pk).update(updated_at=now)
    report = report_of(now, "BTC")
    assert (report.oldest_unsettled_at, report.warnings) == (now, ())


@pytest.mark.parametrize("touched", [0, 1, 20])
def test_the_number_of_queries_does_not_grow_with_the_waiting_payments(now, django_assert_max_num_queries, touched):
    for _ in range(touched):
        PaymentFactory(option=OptionFactory(invoice__needs_settling=True))
    read_nodes(at=now)
    with django_assert_max_num_queries(10):
        read_nodes(at=now)
