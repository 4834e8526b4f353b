"""A pool of threads that takes no more work than it can do soon."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class PoolFull(Exception):
    """Too many calls wait for a thread, or this one takes too long."""


class BoundedPool:
    """Runs calls in threads for the event loop, which waits so many seconds for each, or for ever. Use it from the loop alone."""

    def __init__(self, name: str, *, threads: int, waiting: int, seconds: float | None = None) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threads + waiting
        self._seconds = seconds

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the call returns. Raises PoolFull; a call that takes too long goes on, though nobody waits for it any more."""
        if self._free <= 0:
            raise PoolFull
        self._free -= 1
        running = asyncio.get_running_loop().run_in_executor(self._executor, lambda: call(*args, **kwargs))
        running.add_done_callback(self._end)
        if self._seconds is not None and not (await asyncio.wait([running], timeout=self._seconds))[0]:
            raise PoolFull
        return await asyncio.shield(running)

    def _end(self, ended: asyncio.Future[Any]) -> None:
        self._free += 1
        if not ended.cancelled():
            ended.exception()  # those who still wait get it too
