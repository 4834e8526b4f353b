"""A Redis that hangs is waited for once, and then left alone for a while by the whole process. One that is down refuses at once by itself.

What else asks it meanwhile is told that it does not answer: the cache keeps nothing, limits are counted in this process.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from redis.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import TimeoutError as NoAnswer

WAIT_SECONDS = 0.5
"""For a connection, and for an answer."""
AWAY_SECONDS = 2

_away_until = 0


def _refuse_while_away() -> None:
    if time.monotonic_ns() < _away_until:
        raise NoAnswer("Redis did not answer a moment ago.")


@contextmanager
def _noting() -> Iterator[None]:
    global _away_until
    try:
        yield
    except NoAnswer:
        _away_until = time.monotonic_ns() + AWAY_SECONDS * 10**9
        raise


class _Impatient(AbstractConnection):
    def connect_check_health(self, *arguments: Any, **options: Any) -> Any:
        _refuse_while_away()
        with _noting():
            return super().connect_check_health(*arguments, **options)

    def send_packed_command(self, *arguments: Any, **options: Any) -> Any:
        _refuse_while_away()
        with _noting():
            return super().send_packed_command(*arguments, **options)  # type: ignore[no-untyped-call]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        with _noting():
            return super().read_response(*arguments, **options)


class _Tcp(_Impatient, Connection):
    pass


class _Tls(_Impatient, SSLConnection):
    pass


class _File(_Impatient, UnixDomainSocketConnection):
    pass


def connection_class(url: str) -> type[AbstractConnection]:
    return {"rediss": _Tls, "unix": _File}.get(urlsplit(url).scheme, _Tcp)
