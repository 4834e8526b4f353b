"""Reads that may be late: the replica while it answers, then the primary."""

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError
from pymongo.errors import ServerSelectionTimeoutError

from cryptons import replica
from cryptons.circuit_breaker import CircuitBreaker
from cryptons.replica import read_replica


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


def test_the_replica_is_asked():
    assert read_replica(lambda database: database) == "replica"


def test_without_a_replica_the_primary_is_asked(settings, monkeypatch):
    monkeypatch.delitem(settings.DATABASES, "replica")

    assert read_replica(lambda database: database) == "default"


def test_a_replica_that_is_away_is_left_alone_for_a_while(monkeypatch):
    read, asked = broken_on("replica", OperationalError("no connection"))

    assert [read_replica(read), read_replica(read)] == ["default", "default"]
    assert asked == ["replica", "default", "default"]

    monkeypatch.setattr(replica, "_circuit", CircuitBreaker(rest_seconds=0))
    assert read_replica(lambda database: database) == "replica"


@pytest.mark.parametrize("error", [InterfaceError("closed"), ProgrammingError("no such table"), ServerSelectionTimeoutError("none")])
def test_whatever_the_replica_cannot_do_the_primary_does(error):
    read, asked = broken_on("replica", error)

    assert read_replica(read) == "default"
    assert asked == ["replica", "default"]


def test_what_the_primary_cannot_do_either_is_told():
    def read(database):
        raise OperationalError(database)

    with pytest.raises(OperationalError, match="default"):
        read_replica(read)
