"""Ask several servers at the same time, with one deadline for all of them."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def gather_within(calls: Mapping[str, Callable[[], T]], *, within: timedelta) -> dict[str, T]:
    """Run the calls in parallel and return the results that came in time, by name. Raises what a call raises.

    A call that hangs is abandoned: its thread ends with the server's own time-out. Each call has a database connection of its own, so it
    does not see the caller's transaction.
    """
    results: SimpleQueue[tuple[str, T | None, Exception | None]] = SimpleQueue()
    ends = time.monotonic() + within.total_seconds()
    for name, call in calls.items():
        Thread(target=_run, args=(name, call, results), name=f"gather {name}", daemon=True).start()
    answers: dict[str, T] = {}
    while len(answers) < len(calls):
        try:
            name, answer, error = results.get(timeout=max(0, ends - time.monotonic()))
        except Empty:
            break
        if error is not None:
            raise error
        answers[name] = answer  # type: ignore[assignment]
    return answers


def _run(name: str, call: Callable[[], T], results: "SimpleQueue[tuple[str, T | None, Exception | None]]") -> None:
    try:
        results.put((name, call(), None))
    except Exception as error:
        results.put((name, None, error))
    finally:
        connections.close_all()
