import asyncio
import gc
import threading
import weakref

import pytest

from cryptons.serving.bounded_pool import BoundedPool, PoolFull


class Body:
    """Takes memory."""


def test_what_a_call_that_was_never_begun_holds_is_free_while_the_threads_still_hang():
    begun, go_on = threading.Event(), threading.Event()

    def hang():
        begun.set()
        go_on.wait(60)

    async def give_up():
        pool = BoundedPool("Test", threads=1, waiting=1, begin_seconds=0.05)
        hanging = asyncio.ensure_future(pool.run(hang))
        await asyncio.to_thread(begun.wait, 60)
        body = Body()
        kept = weakref.ref(body)
        with pytest.raises(PoolFull):
            await pool.run(id, body)
        del body
        await asyncio.sleep(0)  # the task holds the error as long as this step of it lasts
        gc.collect()
        is_free = kept() is None
        go_on.set()
        await hanging
        return is_free

    assert asyncio.run(give_up())
