"""Rate limits. The counters are in Redis, so that all servers share them, or in this process when there is no Redis."""

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.translation import ngettext
from limits import RateLimitItem, parse
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter

MOST_WINDOWS = 100_000
"""In memory; then the oldest are forgotten."""


class MemoryWindows:
    """Counts in this process: microseconds for a request, so that the event loop can count too. Safe between threads."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, ...], tuple[float, int]] = {}
        """When each window ends, and what was counted in it; the one that began first is the first."""
        self._lock = threading.Lock()

    def hit(self, keys: tuple[str, ...], seconds: int) -> tuple[int, float]:
        """Count one request. Returns how many there are in its window of so many seconds, and when that ends, in seconds since 1970."""
        now = time.time()
        with self._lock:
            end, hits = self._windows.get(keys, (0.0, 0))
            if end <= now:
                end, hits = now + seconds, 0
                self._windows.pop(keys, None)
                self._forget_ended(now)
            self._windows[keys] = end, hits + 1
        return hits + 1, end

    def put(self, keys: tuple[str, ...], hits: int, end: float) -> None:
        """Continue from what was counted elsewhere."""
        with self._lock:
            self._windows[keys] = end, hits

    def take_back(self, keys: tuple[str, ...]) -> None:
        """Count one request less."""
        with self._lock:
            if keys in self._windows:
                end, hits = self._windows[keys]
                self._windows[keys] = end, max(0, hits - 1)

    def clear(self) -> None:
        with self._lock:
            self._windows.clear()

    def _forget_ended(self, now: float) -> None:
        """Forget those at the front that have ended, and one of those that have not if there are too many."""
        while self._windows:
            oldest = next(iter(self._windows))
            if self._windows[oldest][0] > now and len(self._windows) < MOST_WINDOWS:
                break
            del self._windows[oldest]


_memory = MemoryWindows()


@cache
def _redis(url: str) -> FixedWindowRateLimiter:
    from cryptons.redis_connection import WAIT_SECONDS, connection_class

    options: Any = {"connection_class": connection_class(url)}
    return FixedWindowRateLimiter(RedisStorage(url, socket_timeout=WAIT_SECONDS, socket_connect_timeout=WAIT_SECONDS, **options))


@cache
def parsed(limit: str) -> RateLimitItem:
    """Read a limit such as `100/15minutes`. Raises ValueError."""
    return parse(limit)


_unshared: Counter[tuple[str, ...]] = Counter()
"""What `count_at_once` has counted since `share_counts` last ran."""
_unshared_lock = threading.Lock()


def count(limit: str, *keys: str) -> tuple[bool, dict[str, str]]:
    """Count one request, and return whether it is allowed and the headers about the limit.

    When Redis does not answer, this process counts alone.
    """
    item = parsed(limit)
    counted = _hit_in_redis(item, keys) if settings.REDIS_URL else None
    return _result(item, *(counted or _memory.hit((limit, *keys), item.get_expiry())))


def count_at_once(limit: str, *keys: str) -> tuple[bool, dict[str, str]]:
    """Count one request in memory, as `count` does, but without waiting for Redis. `share_counts` adds it to Redis later."""
    item, key = parsed(limit), (limit, *keys)
    with _unshared_lock:
        _unshared[key] += 1
    return _result(item, *_memory.hit(key, item.get_expiry()))


def share_counts() -> None:
    """Add to Redis what `count_at_once` has counted, and continue from what all processes have counted there. May wait for Redis."""
    with _unshared_lock:
        unshared = dict(_unshared)
        _unshared.clear()
    for (limit, *keys), hits in unshared.items() if settings.REDIS_URL else ():
        if counted := _hit_in_redis(parsed(limit), tuple(keys), hits):
            _memory.put((limit, *keys), *counted)


def _result(item: RateLimitItem, hits: int, end: float) -> tuple[bool, dict[str, str]]:
    seconds = str(max(1, math.ceil(end - time.time())))
    headers = {"RateLimit-Limit": str(item.amount), "RateLimit-Remaining": str(max(0, item.amount - hits)), "RateLimit-Reset": seconds}
    if hits > item.amount:
        headers["Retry-After"] = seconds
    return hits <= item.amount, headers


def take_back(limit: str, *keys: str) -> None:
    """Undo one `count`."""
    if not (settings.REDIS_URL and _hit_in_redis(parsed(limit), keys, hits=-1)):
        _memory.take_back((limit, *keys))


def times(limit: str, factor: int) -> str:
    """Return the limit that allows so many times as much."""
    item = parsed(limit)
    return f"{item.amount * factor}/{item.multiples}{item.GRANULARITY.name}"


def _hit_in_redis(item: RateLimitItem, keys: tuple[str, ...], hits: int = 1) -> tuple[int, float] | None:
    """Count in Redis. Returns what MemoryWindows.hit does; None if Redis does not answer."""
    try:
        limiter = _redis(settings.REDIS_URL)
        is_allowed = limiter.hit(item, *keys, cost=hits)
        window = limiter.get_window_stats(item, *keys)
    except Exception as error:  # the driver has many of its own, and those of sockets
        if not type(error).__module__.startswith("redis"):
            raise
        return None
    return item.amount - window.remaining if is_allowed else item.amount + 1, window.reset_time


def too_many_requests(headers: Mapping[str, str]) -> str:
    minutes = _minutes(headers)
    return ngettext(
        "Too many requests. Try again in %(minutes)d minute.", "Too many requests. Try again in %(minutes)d minutes.", minutes
    ) % {"minutes": minutes}


def too_many_attempts(headers: Mapping[str, str]) -> str:
    minutes = _minutes(headers)
    return ngettext(
        "Too many attempts. Try again in %(minutes)d minute.", "Too many attempts. Try again in %(minutes)d minutes.", minutes
    ) % {"minutes": minutes}


def _minutes(headers: Mapping[str, str]) -> int:
    return math.ceil(int(headers["Retry-After"]) / 60)


def forget_counts() -> None:
    """Reset all counters, for tests."""
    _memory.clear()
    _unshared.clear()
    _redis.cache_clear()
