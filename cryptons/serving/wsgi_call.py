"""Calls Django's WSGI handler in a thread, from a request that the event loop has read whole."""

import asyncio
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import IO, Any, Protocol

from cryptons.client_address import is_trusted_proxy
from cryptons.serving.spooled_stream import BLOCK, SpooledStream, StreamEnded

OF_PROXIES = frozenset({"x-forwarded-proto", "x-request-id"})
"""Headers that are believed of trusted proxies alone."""

Headers = list[tuple[str, str]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Scope(Protocol):
    """granian's RSGI scope. `path` is decoded already; header names are in lower case."""

    proto: str
    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None
    headers: Any


class Transport(Protocol):
    """The body of an answer that is sent piece by piece. Raises granian's RSGIProtocolClosed when the client is gone."""

    async def send_bytes(self, data: bytes) -> None: ...


class Exchange(Protocol):
    """granian's RSGI protocol object: one request's body, and the ways to answer it."""

    def __aiter__(self) -> "Exchange": ...

    async def __anext__(self) -> bytes: ...

    def response_empty(self, status: int, headers: Headers) -> None: ...

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...

    def response_file(self, status: int, headers: Headers, file: str) -> None: ...

    def response_stream(self, status: int, headers: Headers) -> Transport: ...

    async def client_disconnect(self) -> None: ...


def clean_headers(scope: Scope) -> dict[str, str]:
    """Return the headers by their names in lower case; the values of a repeated one are joined, as HTTP says.

    A name with an underscore is dropped: WSGI folds it into the one with a hyphen, so it could replace what a proxy wrote. What only
    proxies may say is dropped unless the client is a trusted one.
    """
    rows = scope.headers.items()
    headers = dict(rows)
    if len(headers) < len(rows) or "_" in "".join(headers):
        headers = _join_repeated(rows)
    if scope.authority and scope.http_version.startswith("2"):
        headers["host"] = scope.authority
    if not OF_PROXIES.isdisjoint(headers) and not is_trusted_proxy(host_of(scope.client)):
        headers = {name: value for name, value in headers.items() if name not in OF_PROXIES}
    return headers


def _join_repeated(rows: Headers) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in rows:
        if "_" in name:
            continue
        if name in headers:
            value = f"{headers[name]}{'; ' if name == 'cookie' else ','}{value}"
        headers[name] = value
    return headers


def host_of(address: str) -> str:
    """Return the IP address of `192.0.2.1:4711` or `[2001:db8::1]:4711`."""
    return address.rpartition(":")[0].strip("[]")


def environ_of(scope: Scope, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    server, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": host_of(scope.client),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _OpenFile,
    }
    for name, value in headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name not in ("content-length", "transfer-encoding"):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


class _OpenFile:
    """A file that Django wants to send (wsgi.file_wrapper)."""

    def __init__(self, file: IO[bytes], block: int = BLOCK) -> None:
        self.file = file

    @property
    def path(self) -> str:
        """Where the file lies; empty for one that is not on disk, or of which a part has been read."""
        name = getattr(self.file, "name", None)
        return name if isinstance(name, str) and os.path.isfile(name) and self.file.tell() == 0 else ""

    def __iter__(self) -> Iterator[bytes]:
        while block := self.file.read(BLOCK):
            yield block

    def close(self) -> None:
        if callable(close := getattr(self.file, "close", None)):
            close()


class WsgiCall:
    """One call of the application, in a thread. `send` answers the exchange from there."""

    def __init__(self, exchange: Exchange, loop: asyncio.AbstractEventLoop | None) -> None:
        self._exchange = exchange
        self._loop = loop
        self.status = 0
        self.headers: Headers = []
        self.body = b""
        self.file = ""
        self.response: Any = None
        self.stream: SpooledStream | None = None
        """Of an answer that has begun: there is no way back to another one."""

    def run(self, application: Application, environ: dict[str, Any]) -> None:
        """Call the application. Leaves `body` or `file` to be sent; a stream is sent while this thread makes it."""
        self.response = response = application(environ, self._start)
        try:
            if isinstance(response, _OpenFile) and response.path:
                self.file = response.path
            elif getattr(response, "streaming", False) or isinstance(response, _OpenFile):
                if environ["REQUEST_METHOD"] != "HEAD":  # granian would read nothing of it
                    self._stream(response)
            else:
                self.body = b"".join(response)
        finally:
            if self.stream is not None:
                self.stream.close()
            if callable(close := getattr(response, "close", None)):
                close()

    def _start(self, status: str, headers: Headers, _error: Any = None) -> None:
        self.status = int(status.split(" ", 1)[0])
        if self.status == 304:  # Django writes the length of nothing, which would be the length of the answer that is still good
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        self.headers = [*headers, ("Server", "")]

    def _stream(self, blocks: Iterable[bytes]) -> None:
        """Answer with the blocks. Database connections belong to a thread, so this one makes the stream to its end."""
        assert self._loop is not None
        with suppress(StreamEnded):
            for block in filter(None, blocks):
                if self.stream is None:
                    self.stream = SpooledStream(self._loop, block)
                    self._exchange.response_file(self.status, self.headers, self.stream.path)
                else:
                    self.stream.write(block)

    async def send(self) -> None:
        """Send what `run` has left, on the loop, or wait until the stream is sent."""
        if self.stream is not None:
            await self.stream.ended
        elif self.file:
            self._exchange.response_file(self.status, self.headers, self.file)
        elif self.body:
            self._exchange.response_bytes(self.status, self.headers, self.body)
        else:
            self._exchange.response_empty(self.status, self.headers)
