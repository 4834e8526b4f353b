"""Streams through the front: exports whose client may be slow, gone, or the disk full."""

import asyncio
import errno
import gc
import io
import os
import threading
import time
from pathlib import Path

import pytest

from cryptons.serving.front import Front
from cryptons.serving.tests.exchange import Exchange, GivenScope, ask
from tests.running import wait_for


def open_files():
    """The numbers of this process's open files, without those that former tests left to Python's search for garbage."""
    gc.collect()
    return set(os.listdir("/dev/fd"))


def test_a_stream_is_made_by_one_thread():
    threads = set()

    class Stream:
        streaming = True

        def __iter__(self):
            for block in (b"one", b"two"):
                threads.add(threading.current_thread())
                yield block

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/csv")])
        return Stream()

    sent = ask(Front(application, threads=2), GivenScope())

    assert (sent.status, sent.read_stream(), len(threads)) == (200, b"onetwo", 1)


def test_a_large_stream_arrives_whole_and_leaves_no_file_open():
    blocks = [bytes([number % 256]) * 50_000 for number in range(40)]

    class Stream(list):
        streaming = True

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/csv")])
        return Stream(blocks)

    before = open_files()
    assert ask(Front(application, threads=2), GivenScope()).read_stream() == b"".join(blocks)
    wait_for("its files to be closed", lambda: open_files() <= before)


def open_pipe(file):
    return Path(file).open("rb", buffering=0)  # closed by who reads it


def test_a_client_that_reads_nothing_of_a_stream_holds_no_thread():
    class Waiting(Exchange):
        def response_file(self, status, headers, file):
            self.response_empty(status, headers)
            self.pipe = open_pipe(file)

    class Stream(list):
        streaming = True

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/csv")])
        return Stream([b"x" * 1_000_000]) if environ["PATH_INFO"] == "/export" else [b"page"]

    async def ask_both():
        door = Front(application, threads=1)
        door.__rsgi_init__(asyncio.get_running_loop())
        slow, other = Waiting(), Exchange()
        export = asyncio.ensure_future(door.__rsgi__(GivenScope(path="/export"), slow))
        while not slow.status:
            await asyncio.sleep(0.01)
        await door.__rsgi__(GivenScope(), other)
        unread = not export.done()
        whole = await asyncio.to_thread(slow.pipe.readall)
        slow.pipe.close()
        await export
        return other.body, unread, len(whole)

    assert asyncio.run(ask_both()) == (b"page", True, 1_000_000)


def test_a_client_that_goes_away_ends_the_stream_and_its_file(monkeypatch):
    made = []

    class Stream:
        streaming = True

        def __iter__(self):
            for number in range(10_000):
                made.append(number)
                yield b"x" * 70_000
                time.sleep(0.001)

    class Leaving(Exchange):
        def response_file(self, status, headers, file):
            self.response_empty(status, headers)
            threading.Thread(target=self.read_once, args=[open_pipe(file)]).start()

        def read_once(self, pipe):
            with pipe:
                pipe.read(200_000)

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/csv")])
        return Stream()

    before = open_files()
    ask(Front(application, threads=2), GivenScope(), Leaving())
    assert len(made) < 10_000
    wait_for("its files to be closed", lambda: open_files() <= before)


def test_a_head_request_makes_no_stream():
    class Stream:
        streaming = True
        is_closed = False

        def __iter__(self):
            raise AssertionError("read")

        def close(self):
            self.is_closed = True

    stream = Stream()

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/csv")])
        return stream

    sent = ask(Front(application, threads=2), GivenScope("HEAD"))

    assert (sent.status, sent.headers["content-type"], sent.file, stream.is_closed) == (200, "text/csv", "", True)


class FullDisk(io.FileIO):
    """Takes two blocks of 1,000 bytes."""

    def write(self, data):
        if self.tell() + len(data) > 2_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize(("sizes", "status", "arrives"), [([1_000, 1_000, 1_000], 200, 2_000), ([3_000], 500, None)])
def test_a_stream_ends_where_the_disk_is_full_and_leaves_no_file_open(sizes, status, arrives, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(
        "cryptons.serving.spooled_stream.tempfile.TemporaryFile", lambda **_: io.BufferedRandom(FullDisk(tmp_path / "kept", "w+"))
    )

    class Stream(list):
        streaming = True

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/csv")])
        return Stream([b"x" * size for size in sizes])

    async def answer():
        door, exchange = Front(application, threads=2), Exchange()
        door.__rsgi_init__(asyncio.get_running_loop())
        await asyncio.wait_for(door.__rsgi__(GivenScope(), exchange), 60)
        return exchange

    before = open_files()
    sent = asyncio.run(answer())

    assert (sent.status, len(sent.read_stream()) if sent.file else None) == (status, arrives)
    assert "No space left on device" in caplog.text
    wait_for("its files to be closed", lambda: open_files() <= before)


def test_a_stream_that_fails_halfway_gets_no_second_answer(caplog):
    class Stream:
        streaming = True

        def __iter__(self):
            yield b"one"
            raise ValueError("a defect")

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/csv")])
        return Stream()

    sent = ask(Front(application, threads=2), GivenScope())

    assert (sent.status, sent.read_stream()) == (200, b"one")
    assert "a defect" in caplog.text
