"""The database is away, or another writer is in the way."""

import pytest
from django.db import DatabaseError, InternalError, OperationalError, ProgrammingError
from pymongo.errors import AutoReconnect, OperationFailure

from cryptons.db import CONFLICT_ATTEMPTS, in_transaction, is_conflict, is_outage, new_id
from cryptons.events.models import Event, record

pytestmark = pytest.mark.database


class Deadlock(Exception):
    sqlstate = "40P01"


def conflict():
    """As each backend tells it: with the driver's own error as the cause."""
    error = OperationFailure("write conflict", code=112, details={"errorLabels": ["TransientTransactionError"]})
    raised = DatabaseError()
    raised.__cause__ = error
    return raised


def deadlock():
    raised = OperationalError("deadlock detected")
    raised.__cause__ = Deadlock()
    return raised


def lost():
    raised = DatabaseError()
    raised.__cause__ = AutoReconnect("connection closed")
    return raised


class ReadOnly(Exception):
    sqlstate = "25006"


def read_only():
    raised = InternalError("cannot execute INSERT in a read-only transaction")
    raised.__cause__ = ReadOnly()
    return raised


def full():
    raised = DatabaseError()
    raised.__cause__ = OperationFailure("available disk space is less than required minimum", code=14031)
    return raised


@pytest.mark.parametrize("error", [conflict(), deadlock()])
def test_a_write_conflict_is_distinguished_from_other_errors(error):
    assert is_conflict(error)
    assert not is_conflict(ProgrammingError("no such table"))
    assert not is_conflict(ValueError())


@pytest.mark.parametrize("error", [OperationalError("gone"), lost(), conflict(), read_only(), full()])
def test_a_database_outage_is_distinguished_from_a_bug(error):
    assert is_outage(error)
    assert not is_outage(DatabaseError("a bug"))


@pytest.mark.django_db(transaction=True)
def test_a_transaction_is_repeated_after_a_conflict_and_written_once():
    subject = new_id()
    turns = []

    def act():
        turns.append(1)
        record("order.placed", subject, seq=1, data={})
        if len(turns) < 3:
            raise conflict()
        return "written"

    assert in_transaction(act) == "written"
    assert len(turns) == 3
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_conflict_in_an_inner_transaction_repeats_the_outer_one():
    turns = []

    def inner():
        turns.append("inner")
        if len(turns) < 4:
            raise conflict()

    def outer():
        turns.append("outer")
        in_transaction(inner)

    in_transaction(outer)
    assert turns == ["outer", "inner", "outer", "inner"]


@pytest.mark.django_db(transaction=True)
def test_a_conflict_in_every_attempt_is_raised(monkeypatch):
    monkeypatch.setattr("cryptons.db.time.sleep", lambda seconds: None)
    turns = []

    def act():
        turns.append(1)
        raise conflict()

    with pytest.raises(DatabaseError):
        in_transaction(act)
    assert len(turns) == CONFLICT_ATTEMPTS


@pytest.mark.django_db(transaction=True)
def test_an_error_that_is_not_a_conflict_is_raised_at_once():
    turns = []

    def act():
        turns.append(1)
        raise ProgrammingError("a bug")

    with pytest.raises(ProgrammingError):
        in_transaction(act)
    assert turns == [1]


@pytest.mark.parametrize(("path", "words"), [("/p/kettle/", b"back in a moment"), ("/api/products/x", b"SERVICE_UNAVAILABLE")])
@pytest.mark.parametrize("error", [OperationalError("gone"), lost()])
def test_a_database_outage_is_answered_with_503_and_an_explanation(client, monkeypatch, settings, path, words, error):
    def away(*args, **kwargs):
        raise error

    monkeypatch.setattr("shop.models.ProductQuerySet.listed", away)
    client.raise_request_exception = False

    answer = client.get(path if "x" not in path else f"/api/products/{new_id()}")

    assert answer.status_code == 503
    assert words in answer.content
    assert answer["Retry-After"] == "5"
