"""A pool of threads that takes no more work than it can do soon."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class PoolFull(Exception):
    """Too many calls wait for a thread, this one has waited too long for one, or it takes too long."""


class BoundedPool:
    """Runs calls in threads for the event loop. Use it from the loop alone.

    A call that no thread has begun after `begin_seconds` is never begun. The loop waits `seconds` for the result, or for ever.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, begin_seconds: float, seconds: float | None = None) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threads + waiting
        self._begin_seconds = begin_seconds
        self._seconds = seconds

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the call returns. Raises PoolFull; a call that takes too long goes on, though nobody waits for it any more."""
        if self._free <= 0:
            raise PoolFull
        self._free -= 1
        held = [lambda: call(*args, **kwargs)]
        submitted = self._executor.submit(lambda: held.pop()())
        running = asyncio.wrap_future(submitted)
        running.add_done_callback(self._end)
        giving_up = asyncio.get_running_loop().call_later(self._begin_seconds, submitted.cancel)  # without effect once it has begun
        try:
            if self._seconds is not None and not (await asyncio.wait([running], timeout=self._seconds))[0]:
                raise PoolFull
            return await asyncio.shield(running)
        except asyncio.CancelledError as error:
            if submitted.cancelled():
                held.clear()  # the executor keeps what is never begun until a thread is free: not with its request's body
                raise PoolFull from error
            raise
        finally:
            giving_up.cancel()

    def _end(self, ended: asyncio.Future[Any]) -> None:
        self._free += 1
        if not ended.cancelled():
            ended.exception()  # those who still wait get it too
