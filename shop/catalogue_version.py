"""One token for the whole catalogue, seen by every process: what is cached under an older one is no longer shown."""

import secrets
import time

from django.core.cache import caches

from cryptons.db import on_commit

KEY = "catalogue-version"
REMEMBER_SECONDS = 1

_remembered: tuple[str, int] | None = None
"""The token, and the monotonic nanosecond until which this process does not ask again."""


def catalogue_version() -> str:
    """Read it before the rows that it stands for: then nothing old is ever kept under a new token."""
    global _remembered
    remembered = _remembered
    if remembered and time.monotonic_ns() < remembered[1]:
        return remembered[0]
    token = _read() or _start()
    _remembered = (token, time.monotonic_ns() + REMEMBER_SECONDS * 10**9)
    return token


def catalogue_changed() -> None:
    """A public page shows something else from now on: after the commit, at once without a transaction."""
    on_commit(_renew)


def _read() -> str:
    token = caches["shared"].get(KEY)
    return token if isinstance(token, str) else ""


def _start() -> str:
    """The first token. With a cache that is away, one that lasts for seconds: slower, never stale for long."""
    caches["shared"].add(KEY, secrets.token_hex(8), timeout=None)
    return _read() or f"away-{time.time_ns() // (5 * 10**9)}"


def _renew() -> None:
    global _remembered
    caches["shared"].set(KEY, secrets.token_hex(8), timeout=None)
    _remembered = None
