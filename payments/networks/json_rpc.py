"""JSON-RPC over HTTP with one deadline for the whole answer: the way to bitcoind, litecoind and rippled.

httpx applies its time-outs to each read, so a node that sends one byte per second would never time out. Here the socket itself knows the
deadline: connecting, sending, the headers and every byte of the body share it. Only the lookup of a host's name is left to the system.
Nothing is sent twice: a request that was given up may have been carried out.
"""

import json
import math
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from ssl import SSLContext
from typing import Any

import httpcore
import httpx
from django.utils.translation import gettext as _

from payments.errors import NodeUnavailable

MOST_BYTES = 256 * 1024 * 1024
"""Of one answer. A wallet's listing of 300,000 payments fits."""
_SENT_AT_ONCE = 64 * 1024


class RpcError(Exception):
    """The node's own error, which only the caller can judge."""

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    body: bytes
    content: Any
    """The JSON, its numbers with a point as Decimal; None when it is not JSON."""


class JsonRpcClient:
    """One connection to a node, made at the first call and used again by the next ones. Not thread-safe."""

    def __init__(self, url: str, *, node: str, login: tuple[str, str] | None = None) -> None:
        """`node` begins a sentence, such as `The XRP server`. User and password are sent as they are, without percent-decoding."""
        self._url = url
        self._node = node
        self._deadline = _Deadline()
        self._http = httpx.Client(
            auth=httpx.BasicAuth(*login) if login else None,
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            transport=_Transport(self._deadline),
            trust_env=False,
        )

    def post(self, question: dict[str, Any], *, ends: float, path: str = "") -> HttpAnswer:
        """`ends` is a moment of `time.monotonic()`. Raises NodeUnavailable."""
        self._deadline.ends = ends
        try:
            with self._http.stream("POST", f"{self._url}{path}", content=json.dumps(question)) as answer:
                body = self._read(answer.iter_raw())
        except httpx.TimeoutException as error:
            raise NodeUnavailable(_("%(node)s does not answer in time.") % {"node": self._node}) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NodeUnavailable(
                _("%(node)s does not answer (%(kind)s).") % {"node": self._node, "kind": type(_origin(error)).__name__}
            ) from error
        return HttpAnswer(answer.status_code, body, _parse(answer.headers.get("Content-Type", ""), body))

    def _read(self, pieces: Iterable[bytes]) -> bytes:
        body = bytearray()
        for piece in pieces:
            body += piece
            if len(body) > MOST_BYTES:
                raise NodeUnavailable(
                    _("%(node)s sends an answer of more than %(size)s MiB.") % {"node": self._node, "size": MOST_BYTES // 1024**2}
                )
        return bytes(body)

    def close(self) -> None:
        self._http.close()


def _origin(error: BaseException) -> BaseException:
    """The operating system's error, which says more than what httpx and httpcore make of it."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return error


def _parse(content_type: str, body: bytes) -> Any:
    if content_type and "json" not in content_type.lower():
        return None
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class _Deadline:
    ends = math.inf

    def left(self) -> float:
        """In seconds. Raises httpcore.ReadTimeout when none are."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("The deadline has passed.")
        return left


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
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
    def __init__(self, deadline: _Deadline) -> None:
        self._sockets, self._deadline = httpcore.SyncBackend(), deadline

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        """All addresses of the host share the deadline; the last one's error is raised."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address.")
        for address in _addresses(host, port):
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


class _Transport(httpx.HTTPTransport):
    """httpx has no setting for the network backend of its pool."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(verify=_certificates())
        self._pool = httpcore.ConnectionPool(ssl_context=_certificates(), max_connections=1, network_backend=_Backend(deadline))


@cache
def _certificates() -> SSLContext:
    return httpx.create_ssl_context()
