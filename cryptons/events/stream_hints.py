"""Tell the processes that hold open streams that something has happened, so that they need not ask the database each second.

A hint may be lost: who waits for one looks at the database every few seconds in any case. While no stream is open anywhere nothing is
told, so an event costs an access to memory, or with Redis a read once a second.
"""

import time
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.core.cache import caches

from cryptons.db import on_commit
from cryptons.version_file import VersionFile

OPEN, CHANGED = "streams-open", "streams-changed"
OPEN_SECONDS = 10
"""How long streams count as open after `say_open`."""
REMEMBER_SECONDS = 1


class Hints(Protocol):
    def say_open(self) -> None:
        """Let all processes give hints for the next OPEN_SECONDS."""

    def are_wanted(self) -> bool:
        """Return whether a process has streams open."""

    def give(self) -> None: ...

    def wait(self, seconds: float) -> bool:
        """Wait so long at most, and return whether a hint has come since the last call. One thread of a process waits."""

    def close(self) -> None: ...


class FileHints:
    """For the processes of one machine: two versions in their memory."""

    def __init__(self, path: Path) -> None:
        self._file = VersionFile(path, own=(OPEN, CHANGED))
        self._seen = 0

    def say_open(self) -> None:
        self._file.renew(OPEN)

    def are_wanted(self) -> bool:
        return self._file.read(OPEN) > time.time_ns() - OPEN_SECONDS * 10**9

    def give(self) -> None:
        self._file.renew(CHANGED)

    def wait(self, seconds: float) -> bool:
        if self._file.read(CHANGED) == self._seen:
            time.sleep(seconds)
        before, self._seen = self._seen, self._file.read(CHANGED)
        return before != self._seen

    def close(self) -> None: ...


class RedisHints:
    """For the processes of several machines: a message of Redis to all of them (pub/sub)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._wanted_until = self._known_until = 0.0
        self._subscription: Any = None

    def say_open(self) -> None:
        caches["shared"].set(OPEN, True, timeout=OPEN_SECONDS)

    def are_wanted(self) -> bool:
        now = time.monotonic()
        if now >= self._known_until:
            self._known_until = now + REMEMBER_SECONDS
            self._wanted_until = now + OPEN_SECONDS if caches["shared"].get(OPEN) else 0.0
        return now < self._wanted_until

    def give(self) -> None:
        from redis.exceptions import RedisError

        try:
            cache: Any = caches["shared"]
            cache.client.get_client().publish(CHANGED, "")
        except RedisError:
            return

    def wait(self, seconds: float) -> bool:
        try:
            if self._subscription is None:
                self._subscription = self._subscribe()
            return self._next(seconds)
        except Exception:  # RedisError, OSError, or what the driver meets in a connection that is gone: the next call makes another one
            self.close()
            time.sleep(seconds)
            return False

    def _subscribe(self) -> Any:
        """Open a connection of our own: the circuit breaker of the others takes a quiet minute for a server that hangs.

        It is tried once. By default the driver tries for minutes, and nobody would look at the database for so long.
        """
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError
        from redis.retry import Retry

        from cryptons.redis_connection import WAIT_SECONDS

        once = Retry(NoBackoff(), 0)
        redis: Any = Redis.from_url(self._url, socket_connect_timeout=WAIT_SECONDS, socket_timeout=WAIT_SECONDS, retry=once)
        subscription = redis.pubsub(ignore_subscribe_messages=True)
        try:
            subscription.subscribe(CHANGED)
        except RedisError:
            subscription.close()
            raise
        return subscription

    def _next(self, seconds: float) -> bool:
        """Read all messages that are there, waiting for the first one."""
        until, has_come = time.monotonic() + seconds, False
        while (left := until - time.monotonic()) > 0:
            if self._subscription.get_message(timeout=0 if has_come else left) is not None:
                has_come = True
            elif has_come:
                break
        return has_come

    def close(self) -> None:
        from redis.exceptions import RedisError

        subscription, self._subscription = self._subscription, None
        try:
            if subscription is not None:
                subscription.close()
        except (RedisError, OSError):
            return


@cache
def hints() -> Hints:
    return RedisHints(settings.REDIS_URL) if settings.VERSIONS_FILE is None else FileHints(settings.VERSIONS_FILE.with_name("streams"))


def hint_streams() -> None:
    """Tell the open streams, after the commit, that something has happened."""
    if hints().are_wanted():
        on_commit(hints().give)
