"""What must be right about the database before the shop starts."""

from collections.abc import Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import Error as DatabaseError
from django.db import connection
from pymongo.errors import PyMongoError

from cryptons.db import ping

UNREACHABLE = "The database of DATABASE_URL does not answer. Start it, or correct DATABASE_URL, and start the shop again."


@register(Tags.database)
def check_database(**_: Any) -> list[CheckMessage]:
    try:
        ping()
        problem = standalone_problem(connection.connection.admin.command("hello")) if connection.vendor == "mongodb" else ""
    except (DatabaseError, PyMongoError) as error:
        return [Error(f"{UNREACHABLE} ({type(error.__cause__ or error).__name__})", id="cryptons.E001")]
    return [Error(problem, id="cryptons.E002")] if problem else []


def standalone_problem(hello: Mapping[str, Any]) -> str:
    """A server without a replica set has no transactions. `hello` is its answer to that command; a router of shards says `isdbgrid`."""
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        return ""
    return (
        "The MongoDB server of DATABASE_URL stands alone and so has no transactions, without which money is lost. "
        "Start mongod with --replSet rs0, run rs.initiate() once in mongosh, and put ?replicaSet=rs0 at the end of DATABASE_URL."
    )
