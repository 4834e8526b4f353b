"""Sends a stream to a client that may be slow: what it has not read yet waits in a file, and takes neither memory nor a thread.

Granian keeps in memory what a stream is given until the client has read it. A file it reads only as fast as the client does, so it gets
one: the end of a pipe, into which the event loop writes what a thread has put into a temporary file. That one is in DATA_DIR, because
/tmp is often memory.
"""

import asyncio
import fcntl
import os
import tempfile
import termios
from contextlib import suppress

from django.conf import settings

BLOCK = 65_536
STALL_SECONDS = 300
"""How long a client may read nothing. Granian and the kernel hold some hundred kilobytes for it, so it may seem to, when it is slow."""
OPEN_SECONDS = 0.02
"""How often to ask whether granian has opened its end, when all is written."""


class StreamEnded(Exception):
    """The client is gone, or has read nothing for too long."""


class SpooledStream:
    """`write` and `close` are for the thread that makes the stream; all else happens on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, first: bytes) -> None:
        """Keep the first block. Raises OSError when the disk is full or too many files are open: then another answer can be given."""
        self._loop = loop
        self._file = tempfile.TemporaryFile(dir=settings.DATA_DIR)  # noqa: SIM115  # closed in _close_file
        try:
            self._keep(first)
            self._reader, self._writer = os.pipe()
        except OSError:
            self._close_file()
            raise
        os.set_blocking(self._writer, False)
        self.path = f"/dev/fd/{self._reader}"
        """What granian opens and reads."""
        self._is_opened = False
        self._size = self._sent = 0
        self._is_whole = False
        self._stalling: asyncio.TimerHandle | None = None
        """None while the client waits for the next block."""
        self.ended: asyncio.Future[None] = loop.create_future()
        loop.call_soon_threadsafe(self._extend, len(first))

    def write(self, block: bytes) -> None:
        """Keep the block for the client. Raises StreamEnded, and OSError when the disk is full."""
        if self.ended.done():
            raise StreamEnded
        try:
            self._keep(block)
        except ValueError as error:  # the loop has closed the file
            raise StreamEnded from error
        self._loop.call_soon_threadsafe(self._extend, len(block))

    def close(self) -> None:
        """Say that no more blocks will come."""
        self._loop.call_soon_threadsafe(self._complete)

    def _keep(self, block: bytes) -> None:
        self._file.write(block)
        self._file.flush()

    def _close_file(self) -> None:
        with suppress(OSError):  # of a full disk, once more: what is not written yet is lost, and the file is closed all the same
            self._file.close()

    def _extend(self, size: int) -> None:
        self._size += size
        self._resume()

    def _complete(self) -> None:
        self._is_whole = True
        self._resume()

    def _resume(self) -> None:
        if self._stalling is None and not self.ended.done():
            self._stalling = self._loop.call_later(STALL_SECONDS, self._end)
            self._loop.add_writer(self._writer, self._feed)

    def _pause(self) -> None:
        self._loop.remove_writer(self._writer)
        if self._stalling is not None:
            self._stalling.cancel()
            self._stalling = None

    def _feed(self) -> None:
        """Write a block into the pipe, which has room."""
        if self._sent < self._size:
            block = os.pread(self._file.fileno(), min(BLOCK, self._size - self._sent), self._sent)
            try:
                self._sent += os.write(self._writer, block)
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._end()
                return
            self._look_whether_opened()
            self._pause()
            self._resume()
        elif not self._is_whole:
            self._pause()
        elif self._is_opened:
            self._end()
        else:  # granian could not open a pipe that nobody writes to
            self._loop.remove_writer(self._writer)
            self._loop.call_later(OPEN_SECONDS, self._look_again)

    def _look_whether_opened(self) -> None:
        """Close our copy of granian's end once granian has read from its own: then a client that goes away breaks the pipe."""
        if not self._is_opened and _unread(self._reader) < self._sent:
            self._is_opened = True
            os.close(self._reader)

    def _look_again(self) -> None:
        if not self.ended.done():
            self._look_whether_opened()
            self._feed()

    def _end(self) -> None:
        if self.ended.done():
            return
        self._pause()
        if not self._is_opened:
            os.close(self._reader)
        os.close(self._writer)
        self._close_file()
        self.ended.set_result(None)


def _unread(pipe: int) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little")
