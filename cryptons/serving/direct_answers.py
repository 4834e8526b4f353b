"""Lets granian's own thread send what is ready: a task of the event loop for each request costs more than the whole answer.

It changes a function that granian does not document. Where that is missing, the front answers the same on the event loop.
"""

import logging
from collections.abc import Callable
from typing import Any

from granian import _futures

from cryptons.serving.wsgi_call import Exchange, Scope

logger = logging.getLogger(__name__)


def answer_directly(send: Callable[[Scope, Exchange], bool]) -> None:
    """Call `send` for each request of this process before the event loop is asked; it returns whether it has answered.

    Call this before granian's worker begins. `send` runs in a thread of granian, not on the event loop.
    """
    make_schedule = getattr(_futures, "_cbsched_aioschedule", None)
    if make_schedule is None:
        return

    def make(loop: Any, context: Any, callback: Any) -> Callable[[Any], None]:
        schedule = make_schedule(loop, context, callback)

        def answer_or_schedule(watcher: Any) -> None:
            try:
                if send(watcher.scope, watcher.proto):
                    watcher.done()
                    return
            except Exception:  # any mistake of our own: the request is not lost, the event loop answers it
                logger.exception("A ready answer failed.")
            schedule(watcher)

        return answer_or_schedule

    _futures._cbsched_aioschedule = make
