"""The catalogue's version: one token, shared by all processes. What is cached under an older token is no longer shown."""

import secrets
import time

from django.core.cache import caches

from cryptons.db import on_commit
from cryptons.replica import has_replica

KEY = "catalogue-version"
REMEMBER_SECONDS = 1
LATE_SECONDS = 15
"""A replica rarely lags by more than this."""

_owes = False
"""Whether a renewal failed because the cache was down. The cache may come back with the old token."""

_remembered: tuple[str, int] | None = None
"""The token, and the monotonic nanosecond until which this process does not read it again."""


def catalogue_version() -> str:
    """Return the token. Read it before the rows that are cached under it, so that nothing old is ever kept under a new token."""
    global _remembered
    remembered = _remembered
    if remembered and time.monotonic_ns() < remembered[1]:
        return remembered[0]
    tell_what_is_owed()
    token = _aged(_read() or _start())
    _remembered = (token, time.monotonic_ns() + REMEMBER_SECONDS * 10**9)
    return token


def catalogue_changed() -> None:
    """Renew the token after the commit, or at once without a transaction, because public pages have changed."""
    on_commit(_renew)


def tell_what_is_owed() -> None:
    if _owes:
        _renew()


def _read() -> str:
    token = caches["shared"].get(KEY)
    return token if isinstance(token, str) else ""


def _start() -> str:
    """Store the first token. While the cache is down, make one that lasts a few seconds: slower, but never stale for long."""
    caches["shared"].add(KEY, _new(), timeout=None)
    return _read() or f"away-{time.time_ns() // (5 * 10**9)}"


def _new() -> str:
    return f"{time.time_ns() // 10**9}.{secrets.token_hex(8)}"


def _aged(token: str) -> str:
    """Add the token's age in seconds while a replica may lag behind the change, so that each version lasts one second only (D54)."""
    changed_at, _, rest = token.partition(".")
    if not has_replica() or not rest:
        return token
    age = time.time_ns() // 10**9 - int(changed_at)
    return f"{token}.{age}" if age < LATE_SECONDS else token


def _renew() -> None:
    global _remembered, _owes
    caches["shared"].set(KEY, _new(), timeout=None)
    _remembered, _owes = None, not _read()
