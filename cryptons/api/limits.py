"""Rate limits. The counters are in Redis, so that all servers share them, or in this process when there is no Redis."""

import math
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.translation import ngettext
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter


@cache
def _limiter(redis_url: str) -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(_redis(redis_url) if redis_url else MemoryStorage())


def _redis(url: str) -> Storage:
    from cryptons.redis_connection import WAIT_SECONDS, connection_class

    options: Any = {"connection_class": connection_class(url)}
    return RedisStorage(url, socket_timeout=WAIT_SECONDS, socket_connect_timeout=WAIT_SECONDS, **options)


@cache
def parsed(limit: str) -> RateLimitItem:
    """Read a limit such as `100/15minutes`. Raises ValueError."""
    return parse(limit)


def count(limit: str, *keys: str) -> tuple[bool, dict[str, str]]:
    """Count one request, and return whether it is allowed and the headers about the limit.

    When Redis does not answer, this process counts alone.
    """
    item = parsed(limit)
    try:
        return _count(_limiter(settings.REDIS_URL), item, keys)
    except Exception as error:
        if not settings.REDIS_URL or not type(error).__module__.startswith("redis"):
            raise
        return _count(_limiter(""), item, keys)


def _count(limiter: FixedWindowRateLimiter, item: RateLimitItem, keys: tuple[str, ...]) -> tuple[bool, dict[str, str]]:
    allowed = limiter.hit(item, *keys)
    window = limiter.get_window_stats(item, *keys)
    seconds = str(max(1, math.ceil(window.reset_time - time.time())))
    headers = {"RateLimit-Limit": str(item.amount), "RateLimit-Remaining": str(max(0, window.remaining)), "RateLimit-Reset": seconds}
    if not allowed:
        headers["Retry-After"] = seconds
    return allowed, headers


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
    _limiter.cache_clear()
