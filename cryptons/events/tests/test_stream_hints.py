"""Hints for open streams: given while some process wants them, and to all who wait."""

import socket
import threading
import time

from cryptons.events.stream_hints import FileHints, RedisHints


def test_a_hint_reaches_each_process_once(tmp_path):
    writer, one, two = (FileHints(tmp_path / "streams") for _ in range(3))
    one.say_open()
    assert writer.are_wanted()
    for reader in (one, two):
        reader.wait(0)

    writer.give()

    assert [one.wait(0), two.wait(0), one.wait(0), two.wait(0)] == [True, True, False, False]


def test_hints_are_no_longer_wanted_when_nobody_has_said_so_for_a_while(tmp_path, monkeypatch):
    FileHints(tmp_path / "streams").say_open()
    later = time.time_ns() + 11 * 10**9
    monkeypatch.setattr("cryptons.events.stream_hints.time", type("Clock", (), {"time_ns": staticmethod(lambda: later)}))

    assert not FileHints(tmp_path / "streams").are_wanted()


def test_a_redis_that_takes_connections_and_never_answers_holds_nobody_who_waits():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hints = RedisHints(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        waiting = threading.Thread(target=hints.wait, args=[0.01], daemon=True)
        waiting.start()
        waiting.join(30)

    assert not waiting.is_alive()
