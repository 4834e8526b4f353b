"""Keep child processes running until a stop is requested, and leave none behind."""

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
"""How long a child may take to finish before it is killed."""
STEADY_SECONDS = 5
"""A child that ran this long is restarted at once; one that keeps dying waits longer each time."""
MAX_WAIT_SECONDS = 10


class StopRequested(Exception):
    """Raised in the running code when a stop is requested."""


class StopSignal:
    """Handles Ctrl-C, SIGTERM and SIGHUP: interrupts the preparation; while children run it only sets `requested`."""

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
    """When the dead child is restarted; None while it runs. Seconds of the monotonic clock, like `started`."""


class Supervisor:
    def __init__(self, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.environment = environment
        self.say = say
        self.children: list[Child] = []

    def start(self, name: str, command: Sequence[str]) -> None:
        self.children.append(Child(name, command, self._launch(command), time.monotonic()))

    def _launch(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal reaches only the supervisor, which then stops each child in order.
        return subprocess.Popen(  # noqa: S603
            command, env=dict(self.environment), stdin=subprocess.DEVNULL, start_new_session=True
        )

    def look_after(self) -> None:
        """Restart the children that died. Call it about every POLL_SECONDS."""
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
        wait = min(0.5 * 2**child.failures, MAX_WAIT_SECONDS) if child.failures else 0.0
        child.restart = now + wait
        when = f"in {wait:.0f} s" if wait else "now"
        self.say(f"The {child.name} process ended ({_how(child.process.returncode)}). It restarts {when}.")

    def stop(self) -> None:
        """Stop all children at the same time, and kill those that do not finish in STOP_SECONDS."""
        running = [child for child in self.children if child.restart is None]
        for child in running:
            _kill_group(child.process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in running:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"The {child.name} process does not end. It is killed.")
            _kill_group(child.process, signal.SIGKILL)
            child.process.wait()


def _kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the child and its own children, which share its process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
