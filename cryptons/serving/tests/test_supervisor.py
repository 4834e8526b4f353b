import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from cryptons.serving import supervisor as supervising
from cryptons.serving.listening import Listening
from cryptons.serving.supervisor import Shop, Supervisor

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]
CRASHER = [sys.executable, "-c", "raise SystemExit(3)"]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor({}, said.append)
    yield supervisor
    supervisor.stop()


def look_until(supervisor: Supervisor, truth: Callable[[], bool]) -> None:
    for _ in range(6000):
        if truth():
            return
        supervisor.look_after()
        time.sleep(0.01)
    raise AssertionError("It never came true.")


def test_a_process_that_ran_steadily_is_restarted_at_once(supervisor: Supervisor, said: list[str], monkeypatch):
    monkeypatch.setattr(supervising, "STEADY_SECONDS", 0)
    supervisor.start("web", SLEEPER)
    child = supervisor.children[0]
    first = child.process

    first.kill()
    look_until(supervisor, lambda: child.process is not first)

    assert child.process.poll() is None
    assert said == ["The web process ended (signal SIGKILL). It restarts now."]


def test_a_process_that_keeps_crashing_is_restarted_after_growing_waits(supervisor: Supervisor, said: list[str], monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(supervising.time, "monotonic", lambda: clock[0])
    supervisor.start("worker", CRASHER)
    child = supervisor.children[0]

    for failures in range(1, 7):
        look_until(supervisor, lambda failures=failures: child.failures == failures)
        clock[0] += 10

    assert said == [f"The worker process ended (exit code 3). It restarts in {wait} s." for wait in (1, 2, 4, 8, 10, 10)]


def test_stopping_kills_the_processes_that_ignore_the_signal_to_end(supervisor: Supervisor, said: list[str], monkeypatch, capfd):
    monkeypatch.setattr(supervising, "STOP_SECONDS", 2)
    supervisor.start("web", SLEEPER)
    supervisor.start("worker", DEAF)
    look_until(supervisor, lambda: "deaf" in capfd.readouterr().out)

    supervisor.stop()

    assert [child.process.returncode for child in supervisor.children] == [-15, -9]
    assert said == ["The worker process does not end. It is killed."]


def test_a_shop_that_answers_late_is_reported_first_as_silent_and_then_as_open(monkeypatch, capsys):
    stop, answers = SimpleNamespace(requested=False), iter([None, None, None, 200])

    def look(listening: Listening) -> int | None:
        status = next(answers)
        stop.requested = status is not None
        return status

    monkeypatch.setattr(supervising, "FIRST_ANSWER_SECONDS", -1)
    monkeypatch.setattr(supervising, "POLL_SECONDS", 0)
    monkeypatch.setattr(supervising, "StopSignal", lambda **_: stop)
    monkeypatch.setattr(supervising, "Supervisor", lambda *_: Mock())
    monkeypatch.setattr(supervising, "home_page_status", look)

    supervising.run(Shop("Kettles", "https://kettles.example", Listening("127.0.0.1", 8000, 1)))

    assert capsys.readouterr().out.splitlines() == [
        "The web server does not answer on 127.0.0.1:8000. Its messages are above.",
        "Kettles is open: https://kettles.example/   staff: https://kettles.example/admin/   Ctrl-C stops it.",
        "Stopping.",
    ]
