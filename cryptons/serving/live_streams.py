"""Open streams of server-sent events: held on the event loop, told by one thread for all of them. A stream costs no thread.

Without an open stream there is no such thread. It looks once a second at most, after a hint, and every LOOK_SECONDS in any case: it reads
the marks of all topics at once, and makes an event once for all streams that get the same one.
"""

import asyncio
import logging
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import TypeVar
from uuid import UUID

from django.db import close_old_connections, connections
from granian._granian import RSGIProtocolClosed

from cryptons.db import is_outage
from cryptons.events.stream_hints import hints
from cryptons.serving.live_answers import LiveAnswer, LiveResponse, MarkReader
from cryptons.serving.refusals import BUSY, TOO_MANY_STREAMS, Refused
from cryptons.serving.wsgi_call import Exchange, Headers

MOST_STREAMS = 2_000
"""Of one process; a browser that is refused polls."""
MOST_OF_ONE_CLIENT = 50
"""Of one address, behind which there may be many buyers."""
STREAM_SECONDS = 300
"""How long a stream lasts at most. Its client comes back, and its right is checked again."""
HEARTBEAT_SECONDS = 15
HEARTBEAT = b":\n\n"
"""A comment, sent after so long without an event, so that no proxy takes the connection for dead."""
TURN_SECONDS = 1
LOOK_SECONDS = 3
REST_SECONDS = 5
"""After a failure."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


class _Stream:
    """One client's stream. Belongs to the event loop."""

    def __init__(self, live: LiveAnswer, mark: str) -> None:
        self.live, self.mark = live, mark
        self.is_ended = False
        self._event = b""
        """The newest one that is not sent yet. It says the whole state, so a slow client needs no older one."""
        self._waiting: asyncio.Future[None] | None = None

    def tell(self, event: bytes, mark: str) -> None:
        self._event, self.mark = event, mark
        self._wake()

    def end(self) -> None:
        self.is_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def next(self, seconds: float) -> bytes:
        """Return the next event; nothing if none comes in this time, or the stream ends."""
        if not self._event and not self.is_ended:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(seconds, self._wake)
            try:
                await self._waiting
            finally:
                timer.cancel()
                self._waiting = None
        event, self._event = self._event, b""
        return event


_Watched = tuple[_Stream, LiveAnswer, str]
"""A stream, what it tells, and the mark of what it has told."""


class LiveStreams:
    """The streams of one process. All but `_watch` and what it calls runs on the loop."""

    def __init__(self) -> None:
        self._open: set[_Stream] = set()
        self._of_client: Counter[str] = Counter()
        self._is_ending = False
        self._is_watched = False

    async def hold(self, exchange: Exchange, response: LiveResponse, headers: Headers, client: str) -> None:
        """Send the response, and then what changes, until the client leaves or the time is up. Raises Refused."""
        if len(self._open) >= MOST_STREAMS:
            raise Refused(BUSY)
        if self._of_client[client] >= MOST_OF_ONE_CLIENT:
            raise Refused(TOO_MANY_STREAMS)
        stream = _Stream(response.live, response.mark)
        stream.is_ended = self._is_ending
        self._open.add(stream)
        self._of_client[client] += 1
        try:
            if not self._is_watched:
                self._start_watching()
            await _send(exchange, response, headers, stream)
        finally:
            self._open.discard(stream)
            self._of_client[client] -= 1
            if not self._of_client[client]:
                del self._of_client[client]

    def _start_watching(self) -> None:
        self._is_watched = True
        try:
            threading.Thread(target=self._watch, args=[asyncio.get_running_loop()], name="Streams", daemon=True).start()
        except RuntimeError:  # the system allows no more threads
            self._is_watched = False
            raise

    def end_all(self) -> None:
        """End all streams because the process ends. Their clients come back, to another process."""
        self._is_ending = True
        for stream in self._open:
            stream.end()

    def _list(self) -> list[_Watched]:
        """List the open streams for the thread, which ends when there are none."""
        self._is_watched = bool(self._open)
        return [(stream, stream.live, stream.mark) for stream in self._open]

    def _abandon(self) -> None:
        self._is_watched = False
        for stream in self._open:
            stream.end()

    def _tell(self, news: list[tuple[_Stream, str, bytes]]) -> None:
        for stream, mark, event in news:
            if event:
                stream.tell(event, mark)
            else:
                stream.end()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look again and again, in a thread, while streams are open."""
        looked_at = float("-inf")
        try:
            while True:
                hints().say_open()
                has_hint = hints().wait(TURN_SECONDS)
                if not (watched := _call(loop, self._list)):
                    return
                if has_hint or time.monotonic() >= looked_at + LOOK_SECONDS:
                    time.sleep(max(0.0, looked_at + TURN_SECONDS - time.monotonic()))
                    looked_at = time.monotonic()
                    loop.call_soon_threadsafe(self._tell, _look(watched))
        except Exception:  # RuntimeError of a loop that the end of the process closed; else a defect: all streams end, clients come back
            if not loop.is_closed():
                logger.exception("Open streams are ended, because what has changed cannot be looked for.")
                loop.call_soon_threadsafe(self._abandon)
        finally:
            hints().close()
            connections.close_all()


async def _send(exchange: Exchange, response: LiveResponse, headers: Headers, stream: _Stream) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + STREAM_SECONDS * random.uniform(0.8, 1)  # noqa: S311  # those that began together need not end together
    leaving = asyncio.ensure_future(exchange.client_disconnect())
    leaving.add_done_callback(lambda _: stream.end())
    try:
        transport = exchange.response_stream(response.status_code, headers)
        await transport.send_bytes(response.content)
        while not stream.is_ended and (left := until - loop.time()) > 0:
            event = await stream.next(min(left, HEARTBEAT_SECONDS))
            if event or not stream.is_ended:
                await transport.send_bytes(event or HEARTBEAT)
    except RSGIProtocolClosed:
        return
    finally:
        leaving.cancel()


def _look(watched: list[_Watched]) -> list[tuple[_Stream, str, bytes]]:
    """Return the streams whose mark has changed, with the new one and its event; no event if there is nothing to follow any more."""
    try:
        return list(_news(watched))
    except Exception:  # DatabaseError, PyMongoError, or a defect in what reads the marks: streams stay open, and the next turn tries again
        logger.exception("Open streams cannot be told what has changed.")
        time.sleep(REST_SECONDS)
        return []
    finally:
        close_old_connections()


def _news(watched: list[_Watched]) -> Iterator[tuple[_Stream, str, bytes]]:
    topics: dict[MarkReader, set[UUID]] = defaultdict(set)
    for _, live, _ in watched:
        topics[live.read_marks].add(live.topic)
    marks = {read: read(some) for read, some in topics.items()}
    events: dict[tuple[str, UUID, str], bytes] = {}
    for stream, live, known in watched:
        mark = marks[live.read_marks].get(live.topic, "")
        if mark == known:
            continue
        key = (live.name, live.topic, mark)
        if mark and key not in events:
            events[key] = _event(live, mark)
        yield stream, mark, events.get(key, b"")


def _event(live: LiveAnswer, mark: str) -> bytes:
    """Make the event; none, which ends its streams, if that fails by a defect: the streams of other topics are told theirs."""
    try:
        return live.event(mark)
    except Exception as error:  # of this topic alone, such as a row that has just gone; an outage of the database is one of all topics
        if is_outage(error):
            raise
        logger.exception("The event of a stream cannot be written.", extra={"reference": str(live.topic)})
        return b""


def _call(loop: asyncio.AbstractEventLoop, act: Callable[[], T]) -> T:
    """Call something on the loop, from another thread. Raises RuntimeError when the loop is closed, also if that comes before the call."""
    called: Future[T] = Future()
    loop.call_soon_threadsafe(lambda: called.set_result(act()))
    while not (done := wait([called], timeout=TURN_SECONDS).done) and not loop.is_closed():
        pass
    if not done:
        raise RuntimeError("The event loop is closed.")
    return called.result()
