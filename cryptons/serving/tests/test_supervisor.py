import sys
import time
from collections.abc import Callable, Iterator

import pytest

from cryptons.serving import supervisor as supervising
from cryptons.serving.supervisor import Supervisor

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
    monkeypatch.setattr(supervising, "STOP_SECONDS", 0.5)
    supervisor.start("web", SLEEPER)
    supervisor.start("worker", DEAF)
    look_until(supervisor, lambda: "deaf" in capfd.readouterr().out)

    supervisor.stop()

    assert [child.process.returncode for child in supervisor.children] == [-15, -9]
    assert said == ["The worker process does not end. It is killed."]
