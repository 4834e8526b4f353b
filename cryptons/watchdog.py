"""End a worker or beat that hangs, at once and without cleaning up; the supervisor or process manager starts another one.

Nothing is lost by that: a message is only a hint, and every task can be killed at any moment and repeated.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from celery.beat import Scheduler

HANG_SECONDS = 120
"""No turn of a follower takes this long, and none is further away from the one before."""
BUSY_SECONDS = 600
"""A task of another kind that runs longer than this counts as hanging, too."""
LOOK_SECONDS = 1
EXIT_CODE = 70
"""EX_SOFTWARE of <sysexits.h>."""
TURNS = frozenset({"payments.tasks.follow_networks", "payments.tasks.follow_network"})


class Watch:
    """Knows what the tasks of this process do, and since when.

    Times are the seconds that `pass_time` was told, so a process that was stopped (SIGSTOP, a machine asleep) did not hang.
    """

    def __init__(self, *, threads: int, expects_turns: bool, turn_every: int = 1) -> None:
        self.threads = threads
        self.hang_seconds = max(HANG_SECONDS, 3 * turn_every)
        self.expects_turns = expects_turns
        """Whether beat runs in this process, so that one of its turns is always due soon."""
        self._lock = threading.Lock()
        self._running: dict[str, tuple[str, float]] = {}
        self._quiet = 0.0

    def begin(self, task_id: str, name: str) -> None:
        with self._lock:
            self._running[task_id] = (name, 0.0)

    def end(self, task_id: str) -> None:
        with self._lock:
            name, _ = self._running.pop(task_id, ("", 0.0))
            if name in TURNS:
                self._quiet = 0.0

    def reset(self) -> None:
        """Count from now: beat did something, or nothing could be expected."""
        with self._lock:
            self._quiet = 0.0

    def pass_time(self, seconds: float) -> None:
        with self._lock:
            if not self._is_busy():
                self._quiet += seconds
            self._running = {task_id: (name, age + seconds) for task_id, (name, age) in self._running.items()}

    def _is_busy(self) -> bool:
        """Return whether each thread works on another task, which may take its time, so that turns must wait."""
        working = [name for name, age in self._running.values() if name not in TURNS and age < BUSY_SECONDS]
        return len(working) >= self.threads

    @property
    def hanging_turn(self) -> bool:
        return any(name in TURNS and age >= self.hang_seconds for name, age in self._running.values())

    @property
    def is_quiet(self) -> bool:
        return self.expects_turns and self._quiet >= self.hang_seconds


class MemoryScheduler(Scheduler):
    """Keeps beat's schedule in memory: a file could be damaged, and holds nothing of value. `on_tick` is called in each round."""

    on_tick: Callable[[], None] | None = None

    def tick(self, *args: Any, **options: Any) -> Any:
        if MemoryScheduler.on_tick is not None:
            MemoryScheduler.on_tick()
        return super().tick(*args, **options)


def look(watch: Watch, *, broker_answers: Callable[[], bool]) -> str:
    """Return why the process must end; empty while it works. While the broker is away no turn can be expected."""
    if watch.hanging_turn:
        return f"A turn of a follower has not ended for {watch.hang_seconds} seconds."
    if watch.is_quiet:
        if broker_answers():
            return f"No turn of a follower has ended for {watch.hang_seconds} seconds."
        watch.reset()
    return ""


def start(watch: Watch, *, broker_answers: Callable[[], bool]) -> None:
    """Watch in a thread until the process ends."""

    def run() -> None:
        before = time.monotonic()
        while True:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            watch.pass_time(min(now - before, 2 * LOOK_SECONDS))
            before = now
            if reason := look(watch, broker_answers=broker_answers):
                end_hard(reason)

    threading.Thread(target=run, name="Watchdog", daemon=True).start()


def end_hard(reason: str) -> None:
    """Say why, show what each thread does, and end without waiting for any of them."""
    print(f"{reason} This process ends, so that it is started again.", file=sys.stderr, flush=True)
    faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
    os._exit(EXIT_CODE)
