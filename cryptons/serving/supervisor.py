"""Keeps a few child processes running until told to stop, and leaves none behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

POLL_SECONDS = 0.1
STOP_SECONDS = 15
"""How long a child may take to finish what it holds before it is killed."""
STEADY_SECONDS = 5
"""A child that ran this long is started again at once; one that keeps dying waits ever longer."""
LONGEST_WAIT_SECONDS = 10


class StopRequested(Exception):
    """Raised out of whatever runs when a stop is asked for."""


class StopSignal:
    """Ctrl-C, SIGTERM or SIGHUP: breaks off what runs, but while children run it is only remembered: none is forgotten half-started."""

    def __init__(self) -> None:
        self.requested = False
        self.breaks_off = True
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if self.breaks_off:
            self.breaks_off = False
            raise StopRequested


@dataclass
class Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    restart: float | None = None
    """When a dead one is started again; None while it runs. Seconds of the monotonic clock, as `started`."""


class Supervisor:
    def __init__(self, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.environment = environment
        self.say = say
        self.children: list[Child] = []

    def start(self, name: str, command: Sequence[str]) -> None:
        self.children.append(Child(name, command, self._launch(command), time.monotonic()))

    def _launch(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which then stops each child in order.
        return subprocess.Popen(  # noqa: S603
            command, env=dict(self.environment), stdin=subprocess.DEVNULL, start_new_session=True
        )

    def look_after(self) -> None:
        """Start again what died. To be called every POLL_SECONDS or so."""
        now = time.monotonic()
        for child in self.children:
            if child.restart is not None:
                if now >= child.restart:
                    child.process, child.started, child.restart = self._launch(child.command), now, None
            elif child.process.poll() is not None:
                self._plan_restart(child, now)

    def _plan_restart(self, child: Child, now: float) -> None:
        _kill_group(child.process, signal.SIGKILL)
        child.failures = 0 if now - child.started >= STEADY_SECONDS else child.failures + 1
        wait = min(0.5 * 2**child.failures, LONGEST_WAIT_SECONDS) if child.failures else 0.0
        child.restart = now + wait
        when = f"in {wait:.0f} s" if wait else "now"
        self.say(f"The {child.name} process ended ({_how(child.process.returncode)}). It is started again {when}.")

    def stop(self) -> None:
        """All at once, each with time to finish; then whatever is left by force."""
        running = [child for child in self.children if child.restart is None]
        for child in running:
            _kill_group(child.process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in running:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"The {child.name} process does not end by itself. It is killed.")
            _kill_group(child.process, signal.SIGKILL)
            child.process.wait()


def _kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """The child and its own children, which share its process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
