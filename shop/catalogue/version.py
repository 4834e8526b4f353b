"""One token for the whole catalogue, seen by every process: what is cached under an older one is no longer shown."""

import secrets
import time

from django.core.cache import caches

from cryptons.db import on_commit
from cryptons.replica import has_replica

KEY = "catalogue-version"
REMEMBER_SECONDS = 1
LATE_SECONDS = 15
"""A replica is seldom later than that."""

_owes = False
"""Whether this process had something to tell while the cache did not answer. The cache may come back with the old token."""

_remembered: tuple[str, int] | None = None
"""The token, and the monotonic nanosecond until which this process does not ask again."""


def catalogue_version() -> str:
    """Read it before the rows that it stands for: then nothing old is ever kept under a new token."""
    global _remembered
    remembered = _remembered
    if remembered and time.monotonic_ns() < remembered[1]:
        return remembered[0]
    tell_what_is_owed()
    token = _aged(_read() or _start())
    _remembered = (token, time.monotonic_ns() + REMEMBER_SECONDS * 10**9)
    return token


def catalogue_changed() -> None:
    """A public page shows something else from now on: after the commit, at once without a transaction."""
    on_commit(_renew)


def tell_what_is_owed() -> None:
    if _owes:
        _renew()


def _read() -> str:
    token = caches["shared"].get(KEY)
    return token if isinstance(token, str) else ""


def _start() -> str:
    """The first token. With a cache that is away, one that lasts for seconds: slower, never stale for long."""
    caches["shared"].add(KEY, _new(), timeout=None)
    return _read() or f"away-{time.time_ns() // (5 * 10**9)}"


def _new() -> str:
    return f"{time.time_ns() // 10**9}.{secrets.token_hex(8)}"


def _aged(token: str) -> str:
    """While a replica may not have heard of the change, what is made of it is kept for a second only: each second is another version."""
    changed_at, _, rest = token.partition(".")
    if not has_replica() or not rest:
        return token
    age = time.time_ns() // 10**9 - int(changed_at)
    return f"{token}.{age}" if age < LATE_SECONDS else token


def _renew() -> None:
    global _remembered, _owes
    caches["shared"].set(KEY, _new(), timeout=None)
    _remembered, _owes = None, not _read()
