"""Reads that may be late: the replica while it answers, then the primary."""

import pytest
from django.db import DatabaseError, OperationalError

from cryptons import replica
from cryptons.replica import read_replica


@pytest.fixture(autouse=True)
def _with_replica(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES, "replica", {})
    monkeypatch.setattr(replica, "_away_until", 0)


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

    monkeypatch.setattr(replica, "_away_until", 0)
    assert read_replica(lambda database: database) == "replica"


def test_a_mistake_in_the_question_is_not_an_outage():
    read, asked = broken_on("replica", DatabaseError("syntax error"))

    with pytest.raises(DatabaseError, match="syntax"):
        read_replica(read)
    assert asked == ["replica"]
