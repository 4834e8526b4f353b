from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection, Producer, Queue

from cryptons.file_queue import BUSY_POLL_SECONDS, Channel


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Channel]:
    """What a process has: a connection of its own to the queue's folders."""
    with open_queue(tmp_path) as connection:
        channel = connection.default_channel
        assert isinstance(channel, Channel), "the project's transport is not the one that Celery uses"
        yield channel


def open_queue(folder: Path) -> Connection:
    for name in ("messages", "control"):
        (folder / name).mkdir(exist_ok=True)
    options = {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
    }
    return Connection("filesystem://localhost", transport_options=options)


def take_all(channel: Channel, queue: str) -> list[dict[str, object]]:
    taken = []
    while True:
        try:
            taken.append(channel._get(queue))
        except Empty:
            return taken


def test_messages_are_received_in_the_order_in_which_they_were_sent(channel: Channel):
    for number in range(20):
        channel._put("celery", {"number": number})

    assert [message["number"] for message in take_all(channel, "celery")] == list(range(20))


def test_a_message_is_received_from_its_own_queue_only(channel: Channel):
    channel._put("payouts", {"number": 1})

    assert take_all(channel, "celery") == []
    assert take_all(channel, "payouts") == [{"number": 1}]


def test_the_file_of_a_received_message_is_deleted(channel: Channel, tmp_path: Path):
    channel._put("celery", {"number": 1})
    take_all(channel, "celery")

    assert list((tmp_path / "messages" / "celery").iterdir()) == []


def test_waiting_messages_can_be_counted_and_purged(channel: Channel):
    for queue in ("celery", "celery", "mails"):
        channel._put(queue, {})

    assert [channel._size(queue) for queue in ("celery", "mails", "none")] == [2, 1, 0]
    assert channel._purge("celery") == 2
    assert [channel._size(queue) for queue in ("celery", "mails")] == [0, 1]


def test_draining_an_empty_queue_times_out(channel: Channel):
    with pytest.raises(TimeoutError):
        channel.connection.drain_events(channel.connection, timeout=0)


@pytest.mark.parametrize(("hands", "pause"), [(1, BUSY_POLL_SECONDS), (2, 1.0)])
def test_a_worker_at_its_prefetch_limit_polls_again_soon(channel: Channel, monkeypatch: pytest.MonkeyPatch, hands: int, pause: float):
    class Paused(Exception):
        pass

    def sleep(seconds: float) -> None:
        raise Paused(seconds)

    monkeypatch.setattr("cryptons.file_queue.time.sleep", sleep)
    channel.basic_qos(prefetch_count=hands)
    queue = Queue("celery", channel=channel)
    queue.declare()
    queue.consume(callback=lambda message: None)
    Producer(channel).publish({}, routing_key="celery")
    channel.connection.drain_events(channel.connection, timeout=1)

    with pytest.raises(Paused) as paused:
        channel.connection.drain_events(channel.connection, timeout=60)

    assert paused.value.args == (pause,)


def test_two_workers_never_take_the_same_message(channel: Channel, tmp_path: Path):
    for number in range(200):
        channel._put("celery", {"number": number})

    with open_queue(tmp_path) as other, ThreadPoolExecutor(2) as workers:
        taken = [number for each in workers.map(lambda each: take_all(each, "celery"), [channel, other.default_channel]) for number in each]

    assert sorted(message["number"] for message in taken) == list(range(200))


def test_a_message_is_not_received_while_it_is_being_written(channel: Channel, monkeypatch: pytest.MonkeyPatch):
    seen = []
    replace = Path.replace

    def look_before(self: Path, target: Path) -> Path:
        seen.extend(take_all(channel, "celery"))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", look_before)
    channel._put("celery", {"number": 1})

    assert seen == []
    assert take_all(channel, "celery") == [{"number": 1}]


def test_a_damaged_message_is_dropped_and_the_next_one_received(channel: Channel, tmp_path: Path):
    channel._put("celery", {"number": 1})
    (tmp_path / "messages" / "celery" / "1_a.msg").write_text("")

    assert take_all(channel, "celery") == [{"number": 1}]


def test_bindings_that_several_processes_write_at_once_are_all_kept(channel: Channel, tmp_path: Path):
    def bind(number: int) -> None:
        with open_queue(tmp_path) as connection:
            connection.default_channel._queue_bind("celery", f"queue-{number}", "", f"queue-{number}")

    with ThreadPoolExecutor(8) as processes:
        list(processes.map(bind, range(8)))

    assert {binding.queue for binding in channel.get_table("celery")} == {f"queue-{number}" for number in range(8)}


def test_a_damaged_file_of_bindings_is_written_again(channel: Channel, tmp_path: Path):
    (tmp_path / "control" / "celery.exchange").write_text("")

    channel._queue_bind("celery", "celery", "", "celery")

    assert [binding.queue for binding in channel.get_table("celery")] == ["celery"]
