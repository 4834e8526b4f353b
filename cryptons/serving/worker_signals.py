"""Lets the front act as soon as its process is told to end: granian waits for all that is under way, which open streams always are."""

import signal
from collections.abc import Callable
from typing import Any

from granian import _signals


def call_on_stop(act: Callable[[], None]) -> None:
    """Call `act` on the event loop at SIGTERM and SIGINT. Call this before granian's worker begins.

    It changes a function that granian does not document. A test fails when an update of granian no longer calls it.
    """
    granian: Any = _signals
    set_signals = granian.set_loop_signals

    def set_both(loop: Any) -> Any:
        stopping = set_signals(loop)

        def stop() -> None:
            act()
            stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        return stopping

    granian.set_loop_signals = set_both
