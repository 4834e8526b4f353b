"""An HTTP transport for httpx with one deadline for the whole answer.

httpx applies its time-outs to each read, so a server that sends one byte per second would never time out. Here the socket itself knows the
deadline: connecting, sending, the headers and every byte of the body share it. Only the lookup of a host's name is left to the system.
"""

import math
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

_SENT_AT_ONCE = 64 * 1024

Resolve = Callable[[str, int], list[str]]
"""Returns the addresses of a host and port."""


class Deadline:
    """The moment by which all of an answer must be there; it can be moved for the next request."""

    _ends = math.inf

    def start(self, within: timedelta) -> None:
        self._ends = time.monotonic() + within.total_seconds()

    def left(self) -> float:
        """In seconds. Raises httpcore.ReadTimeout when none are."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("The deadline has passed.")
        return left


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SENT_AT_ONCE):
            self._stream.write(buffer[start : start + _SENT_AT_ONCE], self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, deadline: Deadline, resolve: Resolve) -> None:
        self._sockets, self._deadline, self._resolve = httpcore.SyncBackend(), deadline, resolve

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        """All addresses of the host share the deadline; the last one's error is raised."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address.")
        for address in self._resolve(host, port):
            try:
                stream = self._sockets.connect_tcp(address, port, self._deadline.left(), local_address, socket_options)
                return _Stream(stream, self._deadline)
            except httpcore.ConnectError as error:
                failure = error
        raise failure


def _addresses(host: str, port: int) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error


class DeadlineTransport(httpx.HTTPTransport):
    """httpx has no setting for the network backend of its pool. `resolve` finds the addresses of a host, or raises ConnectError."""

    def __init__(self, deadline: Deadline, resolve: Resolve = _addresses) -> None:
        super().__init__(verify=_certificates())
        backend = _Backend(deadline, resolve)
        self._pool = httpcore.ConnectionPool(ssl_context=_certificates(), max_connections=1, network_backend=backend)


@cache
def _certificates() -> SSLContext:
    return httpx.create_ssl_context()
