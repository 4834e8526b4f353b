"""Ends the wait for a PostgreSQL that hangs, in the process that answers people.

A server that hangs keeps its connections open and acknowledges what it is sent, so neither `connect_timeout` nor TCP ends the wait, and
its own `statement_timeout` ends nothing. MongoDB's driver has a deadline of its own for this (`socketTimeoutMS`). A server that is only
slow gets a `statement_timeout` as well: otherwise it would go on with statements whose answers nobody waits for.
"""

from typing import Any, ClassVar, TypeVar

from django.db import connections
from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

STATEMENT_SECONDS = 10
SERVER_SECONDS = STATEMENT_SECONDS + 1
"""Later than the process itself, which knows what to tell the person."""

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
            self.pgconn.finish()
            raise OperationalError(f"The database did not answer within {self.statement_seconds} s.") from error


def limit_statements() -> None:
    """Give all connections of this process to PostgreSQL the deadline. Call this before the first one is opened."""
    for database in connections.settings.values():
        if pool := database["OPTIONS"].get("pool"):
            pool["connection_class"] = DeadlineConnection
            own = database["OPTIONS"].get("options", "")
            database["OPTIONS"]["options"] = f"{own} -c statement_timeout={SERVER_SECONDS}s".strip()
