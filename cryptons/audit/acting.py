"""Who acts now: the person behind the request, the command, or the shop's own worker."""

import getpass
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from cryptons.client_address import client_ip

ADMIN = re.compile(r"(/[a-z]{2,3}(-[a-z]+)?)?/admin/")

_acting: ContextVar[HttpRequest | str | None] = ContextVar("acting", default=None)
"""The request that is answered, or the name of the command that runs."""
_is_untold: ContextVar[bool] = ContextVar("is_untold", default=False)


@dataclass(frozen=True)
class Actor:
    way: str
    """One of Entry.Way."""
    person_id: UUID | None = None
    name: str = ""
    address: str = ""
    command: str = ""
    is_staff: bool = False
    """Of the shop: somebody whose acts are told. So is who runs commands."""


@contextmanager
def acting(request_or_command: HttpRequest | str) -> Iterator[None]:
    """Attribute what the block does to the request's person, or to the command of this name."""
    token = _acting.set(request_or_command)
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def untold() -> Iterator[None]:
    """Leave what the block does out of the audit log: rows that are copied with their log, and a demo catalogue."""
    token = _is_untold.set(True)
    try:
        yield
    finally:
        _is_untold.reset(token)


def is_untold() -> bool:
    return _is_untold.get()


def current_actor() -> Actor:
    now = _acting.get()
    if now is None:
        return Actor("worker")
    if isinstance(now, str):
        return Actor("command", name=_machine_user(), command=now, is_staff=True)
    way = "admin" if ADMIN.match(now.path) else "api" if now.path.startswith("/api/") else "page"
    person: Any = getattr(now, "user", None)
    if person is None or not person.is_authenticated:
        return Actor(way, address=client_ip(now))
    return Actor(
        way,
        getattr(person, "person_id", person.pk),
        getattr(person, "audit_name", person.get_username()),
        client_ip(now),
        is_staff=person.is_staff,
    )


def _machine_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that has no name
        return ""
