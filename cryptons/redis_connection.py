"""Connections to Redis that a hanging server delays once, and not each caller of the process.

While the circuit is open, everything that asks Redis gets a time-out at once: the cache keeps nothing, limits are counted in this process.
A server that refuses connections answers at once and does not open the circuit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from redis.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import TimeoutError as NoAnswer

from cryptons.circuit_breaker import CircuitBreaker

WAIT_SECONDS = 0.5
"""For a connection, and for an answer."""

_circuit = CircuitBreaker(rest_seconds=2)


def _check_circuit() -> None:
    if not _circuit.allows():
        raise NoAnswer("Redis did not answer a moment ago.")


@contextmanager
def _failures_recorded() -> Iterator[None]:
    try:
        yield
    except NoAnswer:
        _circuit.record_failure()
        raise


class _GuardedConnection(AbstractConnection):
    def connect_check_health(self, *arguments: Any, **options: Any) -> Any:
        _check_circuit()
        with _failures_recorded():
            return super().connect_check_health(*arguments, **options)

    def send_packed_command(self, *arguments: Any, **options: Any) -> Any:
        _check_circuit()
        with _failures_recorded():
            return super().send_packed_command(*arguments, **options)  # type: ignore[no-untyped-call]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        with _failures_recorded():
            answer = super().read_response(*arguments, **options)
        _circuit.record_success()
        return answer


class _Tcp(_GuardedConnection, Connection):
    pass


class _Tls(_GuardedConnection, SSLConnection):
    pass


class _File(_GuardedConnection, UnixDomainSocketConnection):
    pass


def connection_class(url: str) -> type[AbstractConnection]:
    """Return the guarded connection for the address's scheme: `rediss`, `unix`, or plain TCP."""
    return {"rediss": _Tls, "unix": _File}.get(urlsplit(url).scheme, _Tcp)
