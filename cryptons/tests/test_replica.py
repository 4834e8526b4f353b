"""Reads that may be late: the replica while it answers, then the primary."""

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError
from pymongo.errors import ServerSelectionTimeoutError

from cryptons import replica
from cryptons.circuit_breaker import CircuitBreaker
from cryptons.replica import read_replica

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def _with_replica(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES, "replica", {})
    monkeypatch.setattr(replica, "_circuit", CircuitBreaker(rest_seconds=10))


def broken_on(alias, error):
    asked = []

    def read(database):
        asked.append(database)
        if database == alias:
            raise error
        return database

    return read, asked


def test_reads_go_to_the_replica():
    assert read_replica(lambda database: database) == "replica"


def test_reads_go_to_the_primary_when_there_is_no_replica(settings, monkeypatch):
    monkeypatch.delitem(settings.DATABASES, "replica")

    assert read_replica(lambda database: database) == "default"


def test_an_unreachable_replica_is_not_asked_again_for_a_while(monkeypatch):
    read, asked = broken_on("replica", OperationalError("no connection"))

    assert [read_replica(read), read_replica(read)] == ["default", "default"]
    assert asked == ["replica", "default", "default"]

    monkeypatch.setattr(replica, "_circuit", CircuitBreaker(rest_seconds=0))
    assert read_replica(lambda database: database) == "replica"


@pytest.mark.parametrize("error", [InterfaceError("closed"), ProgrammingError("no such table"), ServerSelectionTimeoutError("none")])
def test_a_read_that_fails_on_the_replica_is_repeated_on_the_primary(error):
    read, asked = broken_on("replica", error)

    assert read_replica(read) == "default"
    assert asked == ["replica", "default"]


def test_an_error_of_the_primary_is_raised():
    def read(database):
        raise OperationalError(database)

    with pytest.raises(OperationalError, match="default"):
        read_replica(read)
