"""Databases in addition to the suite's own, for tests that need other processes on one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings
from django.db import connection
from pymongo import MongoClient


@contextmanager
def database_of_its_own(folder: Path) -> Iterator[str]:
    """Its URL, on the server that the suite runs on."""
    database = settings.DATABASES["default"]
    name = f"other_{time.time_ns()}"
    if connection.vendor == "sqlite":
        yield f"sqlite:///{folder / name}.sqlite3"
    elif connection.vendor == "mongodb":
        url = urlsplit(database["HOST"])
        try:
            yield urlunsplit(url._replace(path=f"/{name}"))
        finally:
            client: MongoClient[dict[str, Any]]
            with MongoClient(database["HOST"]) as client:
                client.drop_database(name)
    else:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True) as server:
            server.execute(f"create database {name}")
            try:
                yield urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))
            finally:
                server.execute(f"drop database {name} with (force)")
