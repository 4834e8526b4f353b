"""Redirects what arrives over plain http to the shop's https address, for a shop that speaks TLS itself."""

import asyncio
import re
import socket
from contextlib import suppress

MAX_HEAD_BYTES = 8_192
HEAD_SECONDS = 10
MAX_WAITING = 1_000
"""Connections at the same time; more are closed at once."""

_TARGET = re.compile(rb"[A-Z]{3,10} (/[\x21-\x7e]*) HTTP/1\.[01]\r\n")


class HttpRedirect:
    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._waiting = 0

    async def listen(self, on: socket.socket) -> asyncio.Server:
        """Accept from a socket that the other web processes accept from too."""
        return await asyncio.start_server(self._answer, sock=on, limit=MAX_HEAD_BYTES)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._waiting += 1
        try:
            if self._waiting <= MAX_WAITING:
                async with asyncio.timeout(HEAD_SECONDS):
                    writer.write(self.answer_to(await reader.readuntil(b"\r\n\r\n")))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._waiting -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def answer_to(self, head: bytes) -> bytes:
        """Return the whole answer to a request's head. The host in it is not believed: PUBLIC_URL is where the shop is."""
        asked = _TARGET.match(head)
        if asked is None:
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        location = self._public_url.encode() + asked[1]
        return b"HTTP/1.1 308 Permanent Redirect\r\nLocation: " + location + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
