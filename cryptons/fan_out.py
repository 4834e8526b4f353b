"""Ask several servers side by side, and wait for none of them longer than a person waits for a page."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def gather_within(questions: Mapping[str, Callable[[], T]], *, within: timedelta) -> dict[str, T]:
    """The answers that came in time, by name. Raises what a question raises.

    Who hangs is left behind: its thread ends by the server's own time-out. A question has a database connection of its own, so it sees
    nothing of the caller's transaction.
    """
    heard: SimpleQueue[tuple[str, T | None, Exception | None]] = SimpleQueue()
    ends = time.monotonic() + within.total_seconds()
    for name, ask in questions.items():
        Thread(target=_ask, args=(name, ask, heard), name=f"ask {name}", daemon=True).start()
    answers: dict[str, T] = {}
    while len(answers) < len(questions):
        try:
            name, answer, error = heard.get(timeout=max(0, ends - time.monotonic()))
        except Empty:
            break
        if error is not None:
            raise error
        answers[name] = answer  # type: ignore[assignment]
    return answers


def _ask(name: str, ask: Callable[[], T], heard: "SimpleQueue[tuple[str, T | None, Exception | None]]") -> None:
    try:
        heard.put((name, ask(), None))
    except Exception as error:
        heard.put((name, None, error))
    finally:
        connections.close_all()
