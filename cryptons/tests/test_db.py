from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, OperationalError, connection

from cryptons import db
from cryptons.db import _SqliteAtomic, atomic, new_id, on_commit, retry_when
from cryptons.events.models import Event, record

pytestmark = pytest.mark.database


def test_new_ids_sort_by_the_time_of_their_creation():
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert {made.version for made in ids} == {7}


def test_ids_created_by_several_threads_are_unique():
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: new_id(), range(10_000)))
    assert len(set(ids)) == 10_000


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_fails_writes_nothing():
    with pytest.raises(ZeroDivisionError), atomic():
        record("order.placed", new_id(), seq=1, data={})
        1 / 0  # noqa: B018
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_failed_inner_transaction_rolls_back_the_outer_one():
    with pytest.raises(ZeroDivisionError), atomic():
        record("order.placed", new_id(), seq=1, data={})
        with atomic():
            record("order.placed", new_id(), seq=1, data={})
            1 / 0  # noqa: B018
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_on_commit_functions_run_only_after_a_commit():
    done = []
    with atomic():
        on_commit(lambda: done.append(1))
        assert done == []
    assert done == [1]
    with pytest.raises(ZeroDivisionError), atomic():
        on_commit(lambda: done.append(2))
        1 / 0  # noqa: B018
    assert done == [1]


@pytest.mark.django_db(transaction=True)
def test_a_subject_cannot_have_two_events_with_the_same_number():
    subject = new_id()
    record("order.placed", subject, seq=1, data={})
    with pytest.raises(IntegrityError):
        record("order.cancelled", subject, seq=1, data={})


class Moved(Exception):
    pass


def moves(times):
    calls = []

    def act():
        calls.append(1)
        if len(calls) <= times:
            raise Moved
        return len(calls)

    return act


def test_retry_when_repeats_the_call_after_a_lost_race():
    assert retry_when(Moved, moves(2), failure=ValueError()) == 3


def test_retry_when_raises_the_given_error_after_its_last_attempt():
    act = moves(9)
    with pytest.raises(ValueError, match="look again"):
        retry_when(Moved, act, attempts=2, failure=ValueError("look again"))
    with pytest.raises(Moved):
        act()  # the third call


def test_retry_when_does_not_repeat_the_call_after_other_errors():
    act = moves(1)
    with pytest.raises(Moved):
        retry_when(KeyError, act, failure=ValueError())
    assert act() == 2


@pytest.mark.django_db(transaction=True)
def test_what_runs_after_a_commit_does_not_hold_up_another_threads_transaction():
    def write():
        try:
            with atomic():
                record("order.placed", new_id(), seq=1, data={})
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, atomic():
        record("order.placed", new_id(), seq=1, data={})
        on_commit(lambda: pool.submit(write).result(30))

    assert Event.objects.count() == 2


def is_free():
    """Whether another thread may write."""

    def take():
        taken = db._sqlite_writer.acquire(timeout=0.01)
        if taken:
            db._sqlite_writer.release()
        return taken

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(take).result(30)


@pytest.mark.django_db(transaction=True)
def test_writers_of_one_process_queue_up_on_sqlite_and_let_the_next_one_in(monkeypatch):
    if connection.vendor == "mongodb":  # which knows no block of Django's own
        assert not isinstance(atomic(), _SqliteAtomic)
        return
    monkeypatch.setattr(db, "SQLITE_WAIT_SECONDS", 0.01)
    with _SqliteAtomic("default", False, False), ThreadPoolExecutor(1) as pool:
        with pytest.raises(OperationalError, match="locked"):
            pool.submit(lambda: _SqliteAtomic("default", False, False).__enter__()).result(30)
        with _SqliteAtomic("default", False, False):  # the same thread's inner block joins
            pass
        assert not is_free()

    assert is_free()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_writer_that_fails_lets_the_next_one_in(error):
    with pytest.raises(error), _SqliteAtomic("default", False, False):
        raise error
    assert is_free()
