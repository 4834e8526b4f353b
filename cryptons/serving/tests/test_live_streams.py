"""Streams of server-sent events are held by the front's loop, and told by one thread what has changed."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from django.http import HttpRequest

from cryptons.serving import live_streams
from cryptons.serving.front import Front
from cryptons.serving.live_answers import LiveAnswer, live_response
from cryptons.serving.live_streams import LiveStreams
from cryptons.serving.tests.exchange import Exchange, GivenScope
from tests.running import wait_for

TOPIC, OTHER = UUID(int=1), UUID(int=2)


class Shop:
    """An application whose every answer is a stream of one of two topics."""

    def __init__(self):
        self.marks = {TOPIC: "a", OTHER: "a"}
        self.read, self.written = [], []
        self.failure = self.broken = None

    def read_marks(self, topics):
        self.read.append(set(topics))
        if self.failure and threading.current_thread().name == "Streams":
            raise self.failure
        return {topic: self.marks[topic] for topic in topics if topic in self.marks}

    def __call__(self, environ, start_response):
        topic = OTHER if environ["PATH_INFO"] == "/other" else TOPIC

        def write():
            self.written.append(topic)
            if topic == self.broken:
                raise ValueError("a defect")
            return f"now\n{self.marks[topic]}"

        request = HttpRequest()
        request.META = environ
        response = live_response(request, LiveAnswer("change", topic, self.read_marks, write))
        start_response("200 OK", [*response.items(), ("Content-Length", "9")])
        return response


class NoHints:
    def say_open(self):
        pass

    def wait(self, seconds):
        time.sleep(0.01)
        return True

    def close(self):
        pass


@pytest.fixture
def shop(monkeypatch):
    monkeypatch.setattr(live_streams, "hints", NoHints)
    monkeypatch.setattr(live_streams, "TURN_SECONDS", 0.01)
    monkeypatch.setattr(live_streams, "REST_SECONDS", 0.01)
    return Shop()


def event(mark):
    return f"event: change\nid: {mark}\ndata: now\ndata: {mark}\n\n".encode()


FIRST = b"retry: 3000\n\n" + event("a")


@asynccontextmanager
async def opened(front, *scopes):
    """The exchanges of open streams, which have sent what the application answered."""
    front.__rsgi_init__(asyncio.get_running_loop())
    exchanges = [Exchange() for _ in scopes]
    asked = [asyncio.ensure_future(front.__rsgi__(scope, exchange)) for scope, exchange in zip(scopes, exchanges, strict=True)]
    await until(lambda: all(exchange.status for exchange in exchanges))
    yield exchanges
    front.end_streams()
    await asyncio.wait_for(asyncio.gather(*asked), 60)


async def until(is_so):
    for _ in range(6_000):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("never")


def test_a_stream_tells_each_change_once_and_makes_it_once_for_all_who_get_the_same(shop):
    async def follow():
        async with opened(Front(shop, threads=1), GivenScope(), GivenScope(), GivenScope(path="/other")) as (one, two, other):
            await until(lambda: {TOPIC, OTHER} in shop.read)
            shop.written.clear()
            shop.marks[TOPIC] = "b"
            await until(lambda: event("b") in one.body and event("b") in two.body)
            shop.marks[TOPIC] = "c"
            await until(lambda: event("c") in one.body and event("c") in two.body)
        return one, two, other

    one, two, other = asyncio.run(follow())

    assert one.body == two.body == FIRST + event("b") + event("c")
    assert other.body == FIRST
    assert shop.written == [TOPIC, TOPIC]
    assert (one.headers["content-type"], one.headers["x-accel-buffering"]) == ("text/event-stream", "no")
    assert "content-length" not in one.headers


def test_open_streams_hold_no_thread_of_the_pool_and_are_read_together(shop, monkeypatch):
    monkeypatch.setattr(live_streams, "MOST_OF_ONE_CLIENT", 100)
    before = set(threading.enumerate())  # those of the pools of other tests may still be ending

    async def follow():
        front = Front(shop, threads=1)
        async with opened(front, *[GivenScope() for _ in range(100)]):
            begun, shop.read = len(shop.read), []
            late = Exchange()
            await front.__rsgi__(GivenScope("HEAD"), late)
            await until(lambda: len(shop.read) > 2)
            new = [thread.name for thread in threading.enumerate() if thread not in before]
            return begun, late.status, [name for name in new if name.startswith(("Web", "Streams"))]

    begun, status, threads = asyncio.run(follow())

    assert (begun >= 100, status, sorted(threads)) == (True, 200, ["Streams", "Web_0"])
    assert shop.read[1:] == [{TOPIC}] * len(shop.read[1:])


def test_a_client_that_comes_back_with_the_last_id_gets_nothing_until_something_changes(shop):
    async def follow():
        async with opened(Front(shop, threads=1), GivenScope(rows=[("last-event-id", "a")])) as (back,):
            before = back.body
            shop.marks[TOPIC] = "b"
            await until(lambda: event("b") in back.body)
        return before

    assert asyncio.run(follow()) == b"retry: 3000\n\n"


def test_too_many_streams_are_refused_those_of_one_address_and_those_of_the_process(shop, monkeypatch):
    monkeypatch.setattr(live_streams, "MOST_OF_ONE_CLIENT", 1)
    monkeypatch.setattr(live_streams, "MOST_STREAMS", 2)

    async def follow():
        front = Front(shop, threads=1)
        refused = []
        async with opened(front, GivenScope()) as (open_stream,):
            for scope in (GivenScope(), GivenScope(client="192.0.2.8:1"), GivenScope(client="192.0.2.9:1")):
                exchange = Exchange()
                asked = asyncio.ensure_future(front.__rsgi__(scope, exchange))
                await until(lambda exchange=exchange: exchange.status)
                refused.append((exchange.status, exchange.headers.get("retry-after")))
            open_stream.is_left.set()
            again = Exchange()
            await until(lambda: not front._streams._of_client.get("192.0.2.7"))
            asked_again = asyncio.ensure_future(front.__rsgi__(GivenScope(), again))
            await until(lambda: again.status)
        await asyncio.gather(asked, asked_again)
        return refused, again.status

    assert asyncio.run(follow()) == ([(429, "2"), (200, None), (503, "2")], 200)


def test_a_stream_ends_after_its_time_with_comments_until_then(shop, monkeypatch):
    monkeypatch.setattr(live_streams, "STREAM_SECONDS", 1)
    monkeypatch.setattr(live_streams, "HEARTBEAT_SECONDS", 0.01)

    async def follow(exchange):
        front = Front(shop, threads=1)
        front.__rsgi_init__(asyncio.get_running_loop())
        await asyncio.wait_for(front.__rsgi__(GivenScope(), exchange), 60)

    def told():
        exchange = Exchange()
        asyncio.run(follow(exchange))
        return exchange.body

    # A process that gets no processor for a second has no time for comments.
    wait_for("comments in a stream that ends", lambda: told().startswith(FIRST + b":\n\n:\n\n"))


def test_a_stream_of_what_is_gone_ends(shop):
    async def follow():
        front = Front(shop, threads=1)
        front.__rsgi_init__(asyncio.get_running_loop())
        exchange = Exchange()
        asked = asyncio.ensure_future(front.__rsgi__(GivenScope(), exchange))
        await until(lambda: exchange.status)
        del shop.marks[TOPIC]
        await asyncio.wait_for(asked, 60)

    asyncio.run(follow())


def test_streams_go_on_after_an_outage_of_what_they_are_read_from(shop, caplog):
    async def follow():
        async with opened(Front(shop, threads=1), GivenScope()) as (stream,):
            shop.failure = OSError("no database")
            shop.marks[TOPIC] = "b"
            await until(lambda: "no database" in caplog.text)
            shop.failure = None
            await until(lambda: event("b") in stream.body)

    asyncio.run(follow())


def test_a_topic_whose_event_cannot_be_written_ends_its_own_streams_only(shop):
    async def follow():
        front = Front(shop, threads=1)
        async with opened(front, GivenScope(path="/other"), GivenScope()) as (_, one):
            shop.broken = OTHER
            shop.marks = {TOPIC: "b", OTHER: "b"}
            await until(lambda: event("b") in one.body and len(front._streams._open) == 1)

    asyncio.run(follow())


def test_streams_end_when_the_thread_that_looks_for_changes_fails(shop, monkeypatch):
    def fail(hints):
        raise OSError("no hints")

    monkeypatch.setattr(NoHints, "say_open", fail)

    async def follow():
        front = Front(shop, threads=1)
        front.__rsgi_init__(asyncio.get_running_loop())
        await asyncio.wait_for(front.__rsgi__(GivenScope(), Exchange()), 60)
        return front._streams._is_watched

    assert asyncio.run(follow()) is False


def streams_threads():
    return {thread for thread in threading.enumerate() if thread.name == "Streams"}


def test_the_thread_ends_with_the_last_stream(shop):
    before = streams_threads()  # those of other tests may still be ending

    async def follow():
        async with opened(Front(shop, threads=1), GivenScope()):
            (thread,) = streams_threads() - before
        await until(lambda: not thread.is_alive())

    asyncio.run(follow())


def test_the_thread_ends_although_its_loop_is_closed_before_it_is_answered(shop):
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=LiveStreams()._watch, args=[loop], name="Streams", daemon=True)
    thread.start()
    time.sleep(0.1)  # it has asked the loop, which answers nobody
    assert thread.is_alive()
    loop.close()
    thread.join(60)

    assert not thread.is_alive()


def test_a_stream_that_begins_while_the_process_ends_is_only_the_state_of_now(shop):
    exchange = Exchange()

    async def follow():
        streams = LiveStreams()
        streams.end_all()
        request = HttpRequest()
        response = live_response(request, LiveAnswer("change", TOPIC, shop.read_marks, lambda: "now\na"))
        await asyncio.wait_for(streams.hold(exchange, response, [], "192.0.2.7"), 60)

    asyncio.run(follow())

    assert exchange.body == FIRST


def test_when_no_thread_can_start_the_stream_does_not_count_and_the_next_one_tries_again(shop, monkeypatch):
    def cannot_start(thread):
        raise RuntimeError("can't start new thread")

    async def follow():
        streams = LiveStreams()
        request = HttpRequest()
        response = live_response(request, LiveAnswer("change", TOPIC, shop.read_marks, lambda: "now"))
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", cannot_start)
            with pytest.raises(RuntimeError):
                await streams.hold(Exchange(), response, [], "192.0.2.7")
        return streams._open, dict(streams._of_client), streams._is_watched

    assert asyncio.run(follow()) == (set(), {}, False)


def test_the_data_of_an_event_keeps_the_separators_that_are_part_of_a_text():
    live = LiveAnswer("order", TOPIC, dict, lambda: '{"name": "Tea\u2028pot\x85"}')

    assert live.event("a").decode() == 'event: order\nid: a\ndata: {"name": "Tea\u2028pot\x85"}\n\n'
