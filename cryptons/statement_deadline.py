"""Ends the wait for a PostgreSQL that hangs, in the process that answers people.

A server that hangs keeps its connections open and acknowledges what it is sent, so neither `connect_timeout` nor TCP ends the wait, and
its own `statement_timeout` ends nothing. MongoDB's driver has a deadline of its own for this (`socketTimeoutMS`). A server that is only
slow is asked to cancel the statement: otherwise it would go on with one whose answer nobody waits for. `statement_timeout` would do that
too, but PgBouncer refuses it among the options of a connection, and what is set later can stay on a connection that others get.
"""

from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from django.db import connections
from psycopg import Connection, Error, OperationalError
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

STATEMENT_SECONDS = 10
CANCEL_SECONDS = 1
"""How long the server may take to accept that it must cancel a statement."""

T = TypeVar("T")


class DeadlineConnection(Connection[Any]):
    """A connection that is closed when the server has not answered a statement in time: what became of it is unknown."""

    statement_seconds: ClassVar[float] = STATEMENT_SECONDS

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait as psycopg does. Raises OperationalError when the server does not answer within `statement_seconds`."""
        try:
            return super().wait(gen, interval, self.statement_seconds if timeout is None else timeout)
        except _WaitTimeout as error:
            if timeout is not None:  # psycopg's own, which catches it
                raise
            with suppress(Error):  # a server that hangs does not take the request either
                self.cancel_safe(timeout=CANCEL_SECONDS)
            self.pgconn.finish()
            raise OperationalError(f"The database did not answer within {self.statement_seconds} s.") from error


def limit_statements() -> None:
    """Give all connections of this process to PostgreSQL the deadline. Call this before the first one is opened."""
    for database in connections.settings.values():
        if pool := database["OPTIONS"].get("pool"):
            pool["connection_class"] = DeadlineConnection
