import threading
from typing import Any

from django.apps import AppConfig
from django.conf import LazySettings
from django.core.cache import caches
from django.db import connections
from django.urls import base as urls
from django.utils import timezone
from django.utils.translation import trans_real


class CryptonsConfig(AppConfig):
    name = "cryptons"

    def ready(self) -> None:
        from cryptons import celery, checks, client_address  # noqa: F401  (shared tasks belong to the Celery app that is there first)

        keep_state_by_thread()


def keep_state_by_thread() -> None:
    """Let Django keep what belongs to a thread in `threading.local`, and read settings without a call of Python (D86).

    Its own places ask at each access whether they are on an event loop, where nothing of Django runs here.
    """
    handlers: tuple[Any, ...] = (connections, caches)
    for handler in handlers:
        handler._connections = threading.local()
    modules: tuple[tuple[Any, str], ...] = ((trans_real, "_active"), (timezone, "_active"), (urls, "_prefixes"), (urls, "_urlconfs"))
    for module, name in modules:
        setattr(module, name, threading.local())
    LazySettings.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]  # settings have no methods to stand in for
