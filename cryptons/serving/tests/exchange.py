"""A request as granian gives it to the front, and what was answered, without a server."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from granian._granian import RSGIProtocolClosed

from cryptons.serving.front import Front
from cryptons.serving.wsgi_call import Headers


class GivenHeaders:
    def __init__(self, rows: Headers) -> None:
        self._rows = rows

    def items(self) -> Headers:
        return self._rows


@dataclass
class GivenScope:
    method: str = "GET"
    path: str = "/"
    rows: Headers = field(default_factory=list)
    query_string: str = ""
    proto: str = "http"
    http_version: str = "1.1"
    server: str = "127.0.0.1:8000"
    client: str = "192.0.2.7:4000"
    scheme: str = "http"
    authority: str | None = None

    @property
    def headers(self) -> GivenHeaders:
        return GivenHeaders([("host", "localhost"), *self.rows])


class Exchange:
    def __init__(self, chunks: tuple[bytes, ...] = (), *, never_ends: bool = False) -> None:
        self.chunks = chunks
        self.never_ends = never_ends
        self.chunks_read = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        self.cookies: list[str] = []
        self.body = b""
        self.file = ""
        self.is_left = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.chunks_read += 1
            yield chunk
        if self.never_ends:
            await asyncio.Event().wait()

    def response_empty(self, status: int, headers: Headers) -> None:
        assert not self.status, "answered twice"
        self.status, self.headers = status, {name.lower(): value for name, value in headers}
        assert len(self.headers) == len([name for name, _ in headers if name.lower() != "set-cookie"]) + ("set-cookie" in self.headers)
        self.cookies = [value for name, value in headers if name.lower() == "set-cookie"]

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        self.response_empty(status, headers)
        self.body = body

    def response_file(self, status: int, headers: Headers, file: str) -> None:
        self.response_empty(status, headers)
        self.file = file
        if file.startswith("/dev/fd/"):
            opened = Path(file).open("rb", buffering=0)  # noqa: SIM115  # closed in _read
            self._reading = threading.Thread(target=self._read, args=[opened])
            self._reading.start()

    def response_stream(self, status: int, headers: Headers) -> "Exchange":
        self.response_empty(status, headers)
        return self

    async def send_bytes(self, data: bytes) -> None:
        if self.is_left.is_set():
            raise RSGIProtocolClosed
        self.body += data

    async def client_disconnect(self) -> None:
        await self.is_left.wait()

    def _read(self, pipe: FileIO) -> None:
        with pipe:
            self.body = pipe.readall()

    def read_stream(self) -> bytes:
        """Return all that came through the pipe, which is then closed."""
        self._reading.join(60)
        return self.body


def ask(front: Front, scope: GivenScope, exchange: Exchange | None = None) -> Exchange:
    """Let the front answer the request, and return what it sent."""
    exchange = exchange or Exchange()

    async def answer() -> None:
        front.__rsgi_init__(asyncio.get_running_loop())
        await front.__rsgi__(scope, exchange)  # type: ignore[arg-type]

    asyncio.run(answer())
    return exchange


def ask_at_once(front: Front, scope: GivenScope) -> Exchange:
    """Answer without an event loop, for a front that waits for nothing: Django's connections of this thread are none of a loop's."""
    exchange = Exchange()
    with suppress(StopIteration):
        front.__rsgi__(scope, exchange).send(None)  # type: ignore[arg-type]
    assert exchange.status
    return exchange
