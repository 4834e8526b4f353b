"""What wakes the follower before its time: ZMQ of a node, files on the disk, and the command that touches them."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import zmq
from celery.signals import beat_init
from django.core.management import CommandError, call_command
from kombu.exceptions import OperationalError

from payments.sync import node_listener, notify_trigger
from payments.sync.node_listener import DELAY_MS, GAP_MS, Throttle, TriggerFiles, ZmqListener
from payments.sync.notify_trigger import release_leadership, trigger, trigger_file
from payments.tasks import CeleryJobs
from tests.running import free_port

pytestmark = pytest.mark.database

TXID = "ab" * 32
ROOT = Path(__file__).resolve().parents[3]


# --- When a follower is woken ----------------------------------------------------------------------------------------------------------


def rung(*heard, until=10_000):
    """(when, network) of each ring, looked for each millisecond, when these hints come at their moments."""
    throttle, rings = Throttle(), []
    for now in range(until):
        for when, network in heard:
            if when == now:
                throttle.record(network, at_ms=now)
        rings += [(now, network) for network in throttle.due(at_ms=now)]
    return rings


def test_one_hint_wakes_the_follower_once_after_a_short_delay():
    assert rung((0, "BTC")) == [(DELAY_MS, "BTC")]


def test_a_burst_of_hints_wakes_the_follower_at_its_start_and_after_the_gap():
    burst = [(when, "BTC") for when in range(900)]
    assert rung(*burst) == [(DELAY_MS, "BTC"), (DELAY_MS + GAP_MS, "BTC")]


def test_a_hint_just_after_a_wake_up_wakes_the_follower_after_the_gap():
    assert rung((0, "BTC"), (DELAY_MS + 1, "BTC")) == [(DELAY_MS, "BTC"), (DELAY_MS + GAP_MS, "BTC")]


def test_continuous_hints_wake_the_follower_once_in_each_gap():
    always = [(when, "BTC") for when in range(0, 10_000, 10)]
    assert len(rung(*always)) == 10


def test_hints_of_one_network_do_not_delay_those_of_another():
    assert rung((0, "BTC"), (1, "LTC")) == [(DELAY_MS, "BTC"), (DELAY_MS + 1, "LTC")]


# --- ZMQ --------------------------------------------------------------------------------------------------------------------


class Node:
    """What a node's ZMQ is: it publishes, and does not know to whom."""

    def __init__(self, port=0):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.rcvtimeo = 20_000
        self.port = port or free_port()
        self.socket.bind(f"tcp://127.0.0.1:{self.port}")

    def wait_for_a_listener(self):
        for _ in node_listener.TOPICS:
            self.socket.recv()

    def publish(self, topic):
        self.socket.send_multipart([topic, b"\0" * 32, b"\0" * 4])

    def stop(self):
        self.context.destroy(linger=0)


@pytest.fixture
def node():
    node = Node()
    yield node
    node.stop()


@pytest.fixture
def listener(node):
    listener = ZmqListener({"BTC": [f"tcp://127.0.0.1:{node.port}"]})
    yield listener
    listener.close()


def hear(listener):
    """What it hears, however slow this machine is; nothing when it never does."""
    return next((heard for _ in range(100) if (heard := listener.receive())), set())


@pytest.mark.parametrize("topic", node_listener.TOPICS)
def test_each_zmq_topic_is_a_hint(node, listener, topic):
    node.wait_for_a_listener()
    node.publish(topic)
    assert hear(listener) == {"BTC"}


def test_a_burst_of_zmq_messages_is_received_completely(node, listener):
    node.wait_for_a_listener()
    for _ in range(500):
        node.publish(b"sequence")
    while hear(listener) and listener._poller.poll(1000):
        pass
    assert listener.receive() == set()


def test_other_zmq_topics_of_the_same_address_are_not_received(node, listener):
    node.wait_for_a_listener()
    node.publish(b"rawblock")
    node.publish(b"hashblock")
    assert hear(listener) == {"BTC"}
    assert listener.receive() == set()


def test_a_node_that_restarted_is_heard_again(node, listener):
    node.wait_for_a_listener()
    node.stop()
    assert listener.receive() == set()
    again = Node(node.port)
    again.wait_for_a_listener()
    again.publish(b"sequence")
    assert hear(listener) == {"BTC"}
    again.stop()


def test_a_node_that_is_not_running_yet_raises_no_error():
    listener = ZmqListener({"BTC": ["tcp://127.0.0.1:1"], "LTC": []})
    assert listener.receive() == set()
    listener.close()


def test_a_listener_without_addresses_receives_nothing(monkeypatch):
    monkeypatch.setattr(node_listener, "LOOK_MS", 1)
    listener = ZmqListener({})
    assert listener.receive() == set()
    listener.close()


def test_only_networks_that_the_shop_takes_are_listened_to(settings, monkeypatch):
    settings.BITCOIN_ZMQ, settings.LITECOIN_ZMQ = ["tcp://127.0.0.1:28332"], ["tcp://127.0.0.1:28333"]
    monkeypatch.setattr(node_listener, "offered_networks", lambda: ("BTC", "XRP"))
    assert node_listener.addresses() == {"BTC": ["tcp://127.0.0.1:28332"]}


# --- Trigger files ------------------------------------------------------------------------------------------------------------------


def test_each_touch_of_a_trigger_file_is_seen_once(tmp_path):
    files = TriggerFiles(tmp_path, ["BTC", "LTC"])
    assert files.touched() == []
    for _ in range(2):
        os.utime(trigger_file(tmp_path, "LTC"))
        assert files.touched() == ["LTC"]
        assert files.touched() == []


# --- The listener -----------------------------------------------------------------------------------------------------------


class Stop(BaseException):
    pass


def test_celery_beat_starts_the_listener():
    assert node_listener.start_listening in [receiver() for _, receiver in beat_init.receivers]


def test_the_listener_polls_every_network_at_its_start_and_later_those_with_hints(monkeypatch, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    woken, now = [], [0]
    monkeypatch.setattr(CeleryJobs, "follow_network", lambda self, network: woken.append((now[0], network)))
    monkeypatch.setattr(node_listener.time, "monotonic_ns", lambda: now[0] * 10**6)

    def heard(listener):
        now[0] += 500
        if now[0] == 3000:
            trigger([TXID, "--network", "LTC"], tmp_path)
        if now[0] == 5000:
            raise Stop
        return {"BTC"} if now[0] == 1500 else set()

    monkeypatch.setattr(ZmqListener, "receive", heard)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    with pytest.raises(Stop):
        node_listener.listen()

    assert sorted(woken) == [(500, "BTC"), (500, "LTC"), (2000, "BTC"), (3500, "LTC")]


def test_a_listener_that_fails_is_restarted_after_a_pause(monkeypatch):
    tries, pauses = [], []

    def listen():
        tries.append(1)
        if len(tries) == 3:
            raise Stop
        raise OSError("the disk is gone")

    monkeypatch.setattr(node_listener, "listen", listen)
    monkeypatch.setattr(node_listener, "time", SimpleNamespace(sleep=pauses.append))
    with pytest.raises(Stop):
        node_listener.listen_for_ever()
    assert pauses == [node_listener.RESTART_SECONDS] * 2


# --- manage.py notify_payment -------------------------------------------------------------------------------------------------


@pytest.fixture
def queued(monkeypatch):
    queued = []
    monkeypatch.setattr(
        "payments.management.commands.notify_payment.enqueue", lambda task, network, **_: queued.append((task.name, network))
    )
    return queued


@pytest.mark.parametrize(("options", "network"), [([], "BTC"), (["--network", "LTC"], "LTC"), (["--network=LTC"], "LTC")])
def test_notify_payment_queues_a_poll_of_the_follower(queued, options, network):
    call_command("notify_payment", TXID, *options)
    assert queued == [("payments.tasks.follow_network", network)]


@pytest.mark.parametrize("txid", ["", "ab", TXID[1:], TXID + "0", "g" * 64, "é" * 64, f"{TXID}\n", "$(reboot)"])
def test_notify_payment_refuses_an_invalid_transaction_id(queued, txid):
    with pytest.raises(CommandError, match="64 hex digits"):
        call_command("notify_payment", txid)
    assert queued == []


def test_notify_payment_refuses_a_network_that_the_shop_does_not_take(queued, monkeypatch):
    monkeypatch.setattr("payments.management.commands.notify_payment.offered_networks", lambda: ("BTC",))
    with pytest.raises(CommandError, match="does not take LTC"):
        call_command("notify_payment", TXID, "--network", "LTC")


def test_notify_payment_succeeds_when_the_queue_is_unreachable(monkeypatch):
    def away(*_, **__):
        raise OperationalError("gone")

    monkeypatch.setattr("payments.tasks.follow_network.apply_async", away)
    call_command("notify_payment", TXID)


def run(tmp_path, *arguments, **environment):
    known = {name: value for name, value in os.environ.items() if name not in ("DATA_DIR", "CELERY_BROKER_URL")}
    command = [sys.executable, "manage.py", "notify_payment", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=known | {"DATA_DIR": str(tmp_path)} | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        ([TXID], {}, 0, ""),
        ([TXID], {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "LOG_LEVEL": "ERROR"}, 0, ""),
        (["x"], {}, 1, "CommandError: TXID must be 64 hex digits."),
        ([TXID, "--network", "DOGE"], {}, 1, "invalid choice"),
        ([], {}, 1, "required: TXID"),
    ],
)
def test_notify_payment_exits_with_an_error_only_for_invalid_arguments(tmp_path, arguments, environment, code, said):
    ended = run(tmp_path, *arguments, **environment)
    assert (ended.returncode != 0) == bool(code), ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_notify_payment_queues_a_message_when_no_listener_runs(tmp_path):
    assert run(tmp_path, TXID).returncode == 0
    assert len(list((tmp_path / "queue" / "messages" / "celery").iterdir())) == 1


# --- The short way ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return TriggerFiles(tmp_path, ["BTC", "LTC"])


@pytest.mark.parametrize(
    ("arguments", "touched"),
    [
        ([TXID], ["BTC"]),
        ([TXID.upper()], ["BTC"]),
        ([TXID, "--network", "BTC"], ["BTC"]),
        ([TXID, "--network", "LTC"], ["LTC"]),
        ([], []),
        (["x"], []),
        ([f"{TXID}\n"], []),
        ([TXID, "--network", "../x"], []),
        (["--help"], []),
    ],
)
def test_a_trigger_file_is_touched_for_valid_arguments_when_a_listener_runs(files, tmp_path, arguments, touched):
    assert trigger(arguments, tmp_path) == bool(touched)
    assert files.touched() == touched


def test_hints_in_quick_succession_are_all_seen(files, tmp_path):
    for _ in range(100):
        trigger([TXID], tmp_path)
        assert files.touched() == ["BTC"]


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """Listens here."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    yield
    release_leadership()


def test_only_the_first_of_many_hints_starts_django_when_no_listener_runs(nobody, tmp_path, queued):
    assert [trigger([TXID], tmp_path) for _ in range(3)] == [False, True, True]
    assert not trigger([TXID, "--network", "LTC"], tmp_path)

    call_command("notify_payment", TXID)

    assert len(queued) == 1
    assert not trigger([TXID], tmp_path), "what comes after it spoke is news"


def test_a_missing_data_folder_is_not_created(nobody, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "elsewhere"))
    assert not trigger([TXID], tmp_path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("dotenv", "folder"),
    [
        ("", "var"),
        ("PORT=1\nDATA_DIR=here\n", "here"),
        ('export DATA_DIR="a b"\n', "a b"),
        ("DATA_DIR='x'", "x"),
        ("#DATA_DIR=no\n", "var"),
        ("MY_DATA_DIR=no", "var"),
    ],
)
def test_the_data_folder_is_found_as_the_settings_find_it(tmp_path, monkeypatch, dotenv, folder):
    import environ

    monkeypatch.delenv("DATA_DIR")
    monkeypatch.delenv("CRYPTONS_DOTENV")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(dotenv)
    assert notify_trigger.data_dir(tmp_path).resolve() == tmp_path / folder
    environ.Env.read_env(str(tmp_path / ".env"))
    assert Path(os.environ.pop("DATA_DIR", "var")) == Path(folder)


def test_touching_a_trigger_file_does_not_load_django(tmp_path, files):
    told = "import sys; sys.argv = ['manage.py', 'notify_payment', '" + TXID + "']; import manage; manage.main(); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"django", "celery", "cryptons", "zmq"} & {name.partition(".")[0] for name in ended.stdout.split()}
    assert files.touched() == ["BTC"]
