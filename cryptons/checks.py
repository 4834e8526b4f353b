"""Check the database, the data folder and DEBUG before the shop starts."""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import Error as DatabaseError
from django.db import connection
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from cryptons.databases import is_mongo
from cryptons.db import is_conflict, is_outage, ping
from cryptons.environment import is_private

UNREACHABLE = "The database of DATABASE_URL does not answer. Start it, or correct DATABASE_URL, and start the shop again."

SQLITE_PROBLEMS = {
    "unable to open": "The database file {file} cannot be opened. Check that this user may read and write the folder DATA_DIR.",
    "readonly": "The database file {file} can only be read. Make the folder DATA_DIR, and the disk that it is on, writable for this user.",
    "is full": "The disk of the database file {file} is full. Free some space. What was acknowledged is stored.",
    "disk i/o": "The disk of the database file {file} does not work: reading or writing failed. Check it, and the system's log.",
    "malformed": "The database file {file} is damaged. Restore it from a backup.",
    "not a database": "The file {file} is not a database, or is damaged. Restore it from a backup.",
    "is locked": "The database file {file} is locked by another process for too long. Stop that process.",
}
"""What to do, by a part of SQLite's own message."""


def database_problem(error: BaseException) -> str:
    """Say what to do about a database that cannot be used; empty if the error is of another kind."""
    if connection.vendor == "sqlite":
        file = connection.settings_dict["NAME"]
        return next((text.format(file=file) for part, text in SQLITE_PROBLEMS.items() if part in str(error).lower()), "")
    return UNREACHABLE if is_outage(error) and not is_conflict(error) else ""


@register(Tags.database)
def check_database(**_: Any) -> list[CheckMessage]:
    try:
        ping()
        problem = standalone_problem(connection.connection.admin.command("hello")) if connection.vendor == "mongodb" else ""
    except (DatabaseError, PyMongoError) as error:
        if is_mongo(settings.DATABASE_URL) and (problem := other_set_problem(settings.DATABASE_URL)):
            return [Error(problem, id="cryptons.E002")]
        text = database_problem(error) if connection.vendor == "sqlite" else ""
        return [Error(text or f"{UNREACHABLE} ({type(error.__cause__ or error).__name__})", id="cryptons.E001")]
    if problem:
        return [Error(problem, id="cryptons.E002")]
    return durability(read_setting) if connection.vendor == "postgresql" else []


@register()
def check_data_folder(**_: Any) -> list[CheckMessage]:
    """Warn of a folder that the start could not close, because it belongs to somebody else."""
    if is_private(settings.DATA_DIR):
        return []
    text = f"Other users of this machine can read DATA_DIR ({settings.DATA_DIR}), and it is not this user's to close: chmod 700 it."
    return [Warning(text, id="cryptons.W002")]


@register()
def check_debug(**_: Any) -> list[CheckMessage]:
    """Warn at each start of DEBUG where strangers can reach the shop."""
    if not (settings.DEBUG and settings.PUBLIC_URL.startswith("https://")):
        return []
    return [Warning("DEBUG IS ON: anybody can read settings and code on an error page. Set DEBUG=false.", id="cryptons.W003")]


def durability(read: Callable[[str], str]) -> list[CheckMessage]:
    """Return what keeps PostgreSQL from writing a commit to the disk before it answers. `read` returns a setting of the session."""
    if read("synchronous_commit") == "off":
        text = (
            "PostgreSQL answers before a commit is on the disk (synchronous_commit is off), so a power cut would undo orders and payouts. "
            "Run ALTER DATABASE your_database SET synchronous_commit = on, and start the shop again."
        )
        return [Error(text, id="cryptons.E003")]
    if read("fsync") == "off":
        text = (
            "POSTGRESQL DOES NOT FLUSH TO THE DISK (fsync is off): a power cut can destroy the database, and undo orders and payouts. "
            "Set fsync = on in postgresql.conf."
        )
        return [Warning(text, id="cryptons.W001")]
    return []


def read_setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


def standalone_problem(hello: Mapping[str, Any]) -> str:
    """Return why a server cannot be used if it has no replica set, and so no transactions; empty if it can.

    `hello` is its answer to that command; a router of shards says `isdbgrid`.
    """
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        return ""
    return (
        "The MongoDB server of DATABASE_URL is standalone and has no transactions, without which money is lost. "
        "Start mongod with --replSet rs0, run rs.initiate() once in mongosh, and put ?replicaSet=rs0 at the end of DATABASE_URL."
    )


def other_set_problem(url: str) -> str:
    """Ask each server of the address separately whether it is standalone or in another replica set; return the problem, or "".

    With `replicaSet` in the address, the driver only says that it found no such server.
    """
    try:
        asked = parse_uri(url)
    except PyMongoError:
        return ""
    replica_set = asked["options"].get("replicaSet")
    tls = {name: value for name, value in asked["options"].items() if name.lower().startswith("tls")}
    for host, port in asked["nodelist"]:
        try:
            with MongoClient[dict[str, Any]](host, port, directConnection=True, serverSelectionTimeoutMS=1_000, **tls) as server:
                hello = server.admin.command("hello")
        except PyMongoError:
            continue
        if problem := standalone_problem(hello):
            return problem
        if replica_set and hello.get("setName") not in (None, replica_set):
            return f"The MongoDB server {host}:{port} is in a set of another name: put ?replicaSet={hello['setName']} into DATABASE_URL."
    return ""
