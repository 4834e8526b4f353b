import threading
from typing import Any

from django.apps import AppConfig
from django.conf import LazySettings
from django.core.cache import caches
from django.db import connections
from django.http.response import ResponseHeaders
from django.urls import base as urls
from django.utils import timezone
from django.utils.translation import trans_real


class CryptonsConfig(AppConfig):
    name = "cryptons"

    def ready(self) -> None:
        from cryptons import celery, checks, client_address  # noqa: F401  (shared tasks belong to the Celery app that is there first)

        shorten_lookups()


def shorten_lookups() -> None:
    """Let Django find with less work what each request asks for many times (D86).

    What belongs to a thread is kept in `threading.local`: Django's own places ask at each access whether they are on an event loop, where
    nothing of it runs here. Settings are read, and headers are listed, without a call of Python for each.
    """
    handlers: tuple[Any, ...] = (connections, caches)
    for handler in handlers:
        handler._connections = threading.local()
    modules: tuple[tuple[Any, str], ...] = ((trans_real, "_active"), (timezone, "_active"), (urls, "_prefixes"), (urls, "_urlconfs"))
    for module, name in modules:
        setattr(module, name, threading.local())
    ResponseHeaders.items = lambda self: self._store.values()  # type: ignore[method-assign, attr-defined]
    LazySettings.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]  # settings have no methods to stand in for
