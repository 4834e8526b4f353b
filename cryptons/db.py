"""Models' base class and transactions that behave the same on each database."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import uuid_utils
from django.db import DatabaseError, InterfaceError, OperationalError, connection, models, transaction
from django.utils import timezone
from django_mongodb_backend.transaction import Atomic as MongoAtomic
from pymongo.errors import ConnectionFailure, PyMongoError

T = TypeVar("T")

CONFLICT_ATTEMPTS = 15
CONFLICT_CODES = frozenset({"40001", "40P01"})
"""PostgreSQL: serialization failure, deadlock."""
CANNOT_WRITE = frozenset({"25006", 14031})
"""PostgreSQL: read-only, as a standby is. MongoDB: its disk is full. PostgreSQL's full disk and SQLite's are OperationalErrors anyway."""


def new_id() -> UUID:
    """Make a UUIDv7: unique, hard to guess, and sorted by the time it was made."""
    return UUID(int=uuid_utils.uuid7().int)


def made_at(pk: UUID) -> datetime:
    """Return when `new_id` made this, in whole milliseconds."""
    return datetime.fromtimestamp((pk.int >> 80) / 1000, UTC)


def atomic() -> AbstractContextManager[None]:
    """Run the block in one transaction: all of it is written, or nothing.

    Nested blocks join the outer one without a savepoint (not every database has them), so an error inside must leave the outermost block.
    """
    if connection.vendor == "mongodb":
        return _MongoAtomic("default")
    return _SqliteAtomic("default", False, False) if connection.vendor == "sqlite" else transaction.atomic(savepoint=False)


_sqlite_writer = threading.RLock()
"""Held by the one thread of this process that writes."""
SQLITE_WAIT_SECONDS = 20


class _SqliteAtomic(transaction.Atomic):
    """Django's `atomic`, for which the threads of a process queue up.

    SQLite has one writer, and lets those that wait sleep and try again, for up to 0.1 s each time, so that with eight clients some
    waited for seconds. Only other processes still wait in that way.
    """

    is_holder = False

    def __enter__(self) -> None:
        if not connection.in_atomic_block:
            if not _sqlite_writer.acquire(timeout=SQLITE_WAIT_SECONDS):
                raise OperationalError("database is locked")
            self.is_holder = True
        try:
            super().__enter__()
        except BaseException:  # BEGIN failed, or a signal came in between: it goes on to the caller, and the next writer gets in
            self._release()
            raise
        if self.is_holder:
            transaction.on_commit(self._release)  # before the other hooks, which may take their time

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)
        finally:
            self._release()

    def _release(self) -> None:
        if self.is_holder:
            self.is_holder = False
            _sqlite_writer.release()


class _MongoAtomic(MongoAtomic):  # type: ignore[misc]
    """The backend's `atomic`, with two corrections.

    A failed commit raises the driver's PyMongoError, and the backend rolls back only for Django's DatabaseError (since 5.2.4,
    INTPYTHON-950, pull request 525): its session stays open, and the next block would write into a dead transaction.

    Inside Django's own `atomic`, which does nothing on MongoDB but is around each view of the admin, the backend refuses to run on_commit
    hooks (`validate_no_atomic_block`), so `in_atomic_block` is hidden from it. No upstream issue is known.
    """

    def __exit__(self, *error: Any) -> None:
        database: Any = connection
        around, database.in_atomic_block = database.in_atomic_block, False
        try:
            super().__exit__(*error)
        except PyMongoError as failure:
            if database.session is not None:
                database._end_session()
            database.run_on_commit = []
            raise DatabaseError("The transaction could not be written.") from failure
        finally:
            database.in_atomic_block = around


def in_transaction(act: Callable[[], T]) -> T:
    """Run `act` in one transaction, and again if the database reports a conflict with another writer. Returns what `act` returns.

    So `act` must read what it depends on, and change nothing but rows. Inside another transaction it joins that one, which is repeated.
    The reason is D53 in docs/decisions.md.
    """
    is_inner = getattr(connection, "in_atomic_block_mongo", connection.in_atomic_block)
    for attempt in range(1, CONFLICT_ATTEMPTS + 1):
        try:
            with atomic():
                return act()
        except (DatabaseError, PyMongoError) as error:
            if is_inner or attempt == CONFLICT_ATTEMPTS or not is_conflict(error):
                raise
        time.sleep(random.uniform(0, min(1, 0.005 * 2**attempt)))  # noqa: S311
    raise AssertionError("unreachable")


class Versioned(Protocol):
    """A row whose `version` is raised by every write."""

    pk: Any
    version: int


def update_if_unchanged(row: Versioned, **values: Any) -> bool:
    """Write the values and raise the version, unless the row was changed since it was read. The row gets the new values.

    Returns False, and writes nothing, when another writer was first: read the row again and decide again.
    """
    assert isinstance(row, models.Model)
    values |= {"version": row.version + 1}
    if not type(row)._default_manager.filter(pk=row.pk, version=row.version).update(**values):
        return False
    for name, value in values.items():
        setattr(row, name, value)
    return True


def retry_when(moved: type[Exception] | tuple[type[Exception], ...], act: Callable[[], T], *, attempts: int = 3, failure: Exception) -> T:
    """Call `act` again while it raises `moved`, and return its result. It must read the rows that it decides by in each call.

    Raises `failure` after the last attempt.
    """
    for _ in range(attempts):
        try:
            return act()
        except moved:
            continue
    raise failure


def is_conflict(error: BaseException) -> bool:
    """Return whether a conflict with another writer prevented the write (or, on MongoDB, another server became the primary)."""
    return any(
        cause.has_error_label("TransientTransactionError")
        if isinstance(cause, PyMongoError)
        else getattr(cause, "sqlstate", "") in CONFLICT_CODES
        for cause in _causes(error)
    )


def is_outage(error: BaseException) -> bool:
    """Return whether the database is unreachable, too busy or cannot be written, so that the same request may succeed later."""
    unreachable = (OperationalError, InterfaceError, ConnectionFailure)
    return is_conflict(error) or any(
        isinstance(cause, unreachable) or getattr(cause, "sqlstate", "") in CANNOT_WRITE or getattr(cause, "code", 0) in CANNOT_WRITE
        for cause in _causes(error)
    )


def is_row_gone(error: BaseException) -> bool:
    """Return whether a save found no row, because it was deleted after it was read: Django has no class of its own for that."""
    return type(error) is DatabaseError and "did not affect any rows" in str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__


def now_as_stored() -> datetime:
    """Return the time in whole milliseconds, as every database stores it: an answer about a new row is then what a later read says."""
    now = timezone.now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def on_commit(act: Callable[[], Any]) -> None:
    """Call `act` after the commit, or at once outside a transaction. Work that must not be lost also needs a row that a sweep finds."""
    transaction.on_commit(act)


def ping() -> None:
    """Query the database. Raises django.db.Error or PyMongoError when it does not answer, or is a PostgreSQL that cannot be written."""
    if connection.vendor == "mongodb":
        connection.ensure_connection()
        connection.connection.admin.command("ping")
    else:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only" if connection.vendor == "postgresql" else "SELECT 1")
            if cursor.fetchone() == ("on",):
                raise OperationalError("The database is read-only.")


class BaseModel(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        abstract = True
