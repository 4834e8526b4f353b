"""Fixtures that every app's tests share."""

import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import caches
from django.core.signals import setting_changed
from django.db import connections
from django.dispatch import receiver
from django.test import TransactionTestCase
from django.urls import clear_url_caches
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pymongo import monitoring
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pytest_django.fixtures import Settings

from cryptons.api.limits import forget_counts
from cryptons.circuit_breaker import CircuitBreaker
from cryptons.databases import is_mongo
from cryptons.db import new_id
from cryptons.events.deliveries import forget_endpoints
from cryptons.response_cache import forget_all
from shop.catalogue import version as catalogue_version
from shop.search import engine
from shop.settings.current import keep_settings
from shop.settings.models import ShopSettings
from tests.sequences import IS_RANDOM

# What a property says holds on a machine of any speed, and what passed today passes tomorrow.
hypothesis_settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not IS_RANDOM)
hypothesis_settings.load_profile("any machine")


@receiver(setting_changed)
def _forget_addresses(setting: str, **_: Any) -> None:
    """Django caches the addresses of each language, with or without the prefix that the default language has not."""
    if setting == "LANGUAGE_CODE":
        clear_url_caches()


MIGRATED = {"django_content_type", "auth_permission"}
"""What no test changes. Django's own `flush` empties these too, and to fill them again took half of the suite's time."""


class _Written(CommandListener):
    """Remembers into which collections of MongoDB a test has written: it takes longer to empty all of them than to run most tests."""

    def __init__(self) -> None:
        self.collections: set[str] = set()

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in ("insert", "update", "findAndModify"):
            self.collections.add(event.command[event.command_name])

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to SQLite's run each test that can reach no database: pytest-django lets none without a mark or a fixture."""
    without = [item for item in items if not _uses_database(item)]
    for item in without:
        item.user_properties.append(("database", "none"))
    if connections["default"].vendor != "sqlite":
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if _uses_database(item)]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave modules and tests, which stay until the end, out of Python's search for garbage. The search took 10 % of the time, now 5 %."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _uses_database(item: pytest.Item) -> bool:
    fixtures: list[str] = getattr(item, "fixturenames", [])
    marks = (item.get_closest_marker(name) for name in ("django_db", "database"))
    return any(marks) or "db" in fixtures or "transactional_db" in fixtures


_written = _Written()
if is_mongo(django_settings.DATABASE_URL):
    monitoring.register(_written)


def _empty_tables(self: Any) -> None:
    """End a test that commits: delete all rows but those that a migration writes for each model."""
    for name in self._databases_names(include_mirrors=False):
        connection: Any = connections[name]
        if connection.vendor == "mongodb":
            for table in _tables(name) & _written.collections:
                connection.database[table].delete_many({})
            continue
        quoted = connection.ops.quote_name
        with connection.cursor() as cursor:
            cursor.execute(_which_have_rows(name))
            filled = [table for (table,) in cursor.fetchall()]
        connection.ops.execute_sql_flush([f"DELETE FROM {quoted(table)}" for table in filled])
    _written.collections.clear()


@cache
def _tables(name: str) -> frozenset[str]:
    """Return the tables of a database that tests fill. To ask the database for them took longer than to empty them."""
    connection = connections[name]
    is_mongodb = connection.vendor == "mongodb"
    return frozenset(connection.introspection.django_table_names(only_existing=not is_mongodb, include_views=False)) - MIGRATED


@cache
def _which_have_rows(name: str) -> str:
    """Return one query for all tables: to empty each of them took longer than many a test, and few have rows."""
    quoted = connections[name].ops.quote_name
    return " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quoted(table)})" for table in sorted(_tables(name)))


TransactionTestCase._fixture_teardown = _empty_tables  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _plain_settings(settings: Settings, tmp_path: Path) -> None:
    """Cheap password hashes, plain static files, tasks that run at once, and files in the test's own folder."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.MAIL_DIR = tmp_path / "mail"


@pytest.fixture(autouse=True)
def _empty_caches() -> Iterator[None]:
    """Nothing that a test leaves in memory reaches the next one, nor does the language of its last request."""
    forget_counts()
    forget_endpoints()
    keep_settings(ShopSettings())  # as it is: no test begins with a row of them
    yield
    for each in caches.all():
        each.clear()
    forget_all()
    keep_settings(None)
    translation.deactivate()
    catalogue_version._known, catalogue_version._owes = None, False


@pytest.fixture(autouse=True)
def _own_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has an index of its own; none is built until a test asks for it."""
    if engine.name == "tantivy":
        monkeypatch.setattr(engine, "_folder", tmp_path / "search")
        monkeypatch.setattr(engine, "_open", None)
        yield
        return
    monkeypatch.setattr(engine, "alias", f"test-{new_id().hex}")
    monkeypatch.setattr(engine, "_page_circuit", CircuitBreaker(rest_seconds=3))
    monkeypatch.setattr(engine, "_index_circuit", CircuitBreaker(rest_seconds=15))
    yield
    elasticsearch: Any = engine
    for index in elasticsearch._client.indices.get(index=f"{elasticsearch.alias}-*"):
        elasticsearch._client.indices.delete(index=index)
