"""The health of everything that the shop depends on, for staff and their monitoring."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import caches
from django.db import connection
from kombu.exceptions import OperationalError

from cryptons.celery import queue_length
from cryptons.db import ping
from cryptons.disk import read_disk
from cryptons.fan_out import gather_within
from cryptons.mail.models import LATE, Mail
from shop.search import Query, engine
from shop.search.base import SearchUnavailable

WITHIN = timedelta(seconds=1)
"""The time limit for cache, search and queue together; the nodes have their own."""

Part = dict[str, Any]
"""`status` (ok, attention or trouble), `problem` (a sentence, or empty), and the part's own figures."""

ORDER = ("ok", "attention", "trouble")


def read_health(nodes: Sequence[Mapping[str, Any]], *, at: datetime) -> Part:
    """Return the health of each part; `nodes` are dicts with `name` and `status`.

    Raises the database's own error when it does not answer: no part works without it.
    """
    database = _database()
    questions: dict[str, Callable[[], Part]] = {"cache": _cache, "search": _search, "queue": _queue}
    answers = gather_within(questions, within=WITHIN)
    parts = {
        "database": database,
        **{name: answers.get(name) or SILENT[name] for name in questions},
        "disk": _disk(),
        "mail": _mail(at=at),
        "nodes": _nodes(nodes),
    }
    return {"status": _worst(part["status"] for part in parts.values()), "checkedAt": at, **parts}


def _worst(states: Any) -> str:
    return max(states, key=ORDER.index, default="ok")


def _part(problem: str = "", *, status: str = "attention", **more: Any) -> Part:
    return {"status": status if problem else "ok", "problem": problem, **more}


def _database() -> Part:
    started = time.monotonic_ns()
    ping()
    return _part(engine=connection.vendor, latencyMs=(time.monotonic_ns() - started) // 10**6)


def _disk() -> Part:
    disk = read_disk()
    return _part(disk.problem, status="trouble", freeBytes=disk.free_bytes)


def _cache() -> Part:
    word, cache = secrets.token_hex(8), caches["shared"]
    try:
        cache.set(f"health:{word}", word, 10)
        kept = cache.get(f"health:{word}") == word
    except OSError as error:  # files on a disk that is full
        return _part(f"The cache cannot be written ({error.strerror}). The shop works, but more slowly.")
    return _part("" if kept else "The cache keeps nothing: is Redis down? The shop works, but more slowly.")


def _search() -> Part:
    try:
        engine.search(Query(limit=1))
    except SearchUnavailable as error:
        return _part(f"{error} The database searches until it answers.", engine=engine.name)
    return _part(engine=engine.name)


def _queue() -> Part:
    try:
        waiting = queue_length()
    except (OperationalError, OSError) as error:
        return _part(f"The queue does not answer ({type(error).__name__}). The sweeps find its work later.", waiting=None)
    return _part(waiting=waiting)


SILENT = {
    "cache": _part("The cache does not answer in time. The shop works, but more slowly."),
    "search": _part("The search does not answer in time. The database searches until it does.", engine=engine.name),
    "queue": _part("The queue does not answer in time. The sweeps find its work later.", waiting=None),
}


def _mail(*, at: datetime) -> Part:
    waiting = Mail.objects.unsent()
    oldest = waiting.order_by("created_at").first()
    late = oldest is not None and at - oldest.created_at > LATE
    problem = (
        f"A mail has been waiting since {oldest.created_at:%Y-%m-%d %H:%M} UTC. {oldest.last_error}".strip() if oldest and late else ""
    )
    return _part(problem, waiting=waiting.count(), oldestUnsentAt=oldest and oldest.created_at)


def _nodes(networks: Sequence[Mapping[str, Any]]) -> Part:
    troubled = [node["name"] for node in networks if node["status"] != "ok"]
    problem = f"Check: {', '.join(troubled)}." if troubled else ""
    return _part(problem, status=_worst(node["status"] for node in networks), networks=list(networks))
