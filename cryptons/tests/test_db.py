from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError

from cryptons.db import atomic, new_id, on_commit, retry_when
from cryptons.events.models import Event, record


def test_ids_sort_by_the_time_of_their_making():
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert {made.version for made in ids} == {7}


def test_ids_made_at_once_are_different():
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: new_id(), range(10_000)))
    assert len(set(ids)) == 10_000


@pytest.mark.django_db(transaction=True)
def test_a_block_that_fails_writes_nothing():
    with pytest.raises(ZeroDivisionError), atomic():
        record("order.placed", new_id(), seq=1, data={})
        1 / 0  # noqa: B018
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_inner_block_that_fails_takes_the_outer_with_it():
    with pytest.raises(ZeroDivisionError), atomic():
        record("order.placed", new_id(), seq=1, data={})
        with atomic():
            record("order.placed", new_id(), seq=1, data={})
            1 / 0  # noqa: B018
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_the_commit_is_done_after_it_and_only_then():
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
def test_one_place_in_a_subjects_log_is_taken_once():
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


def test_a_lost_race_is_tried_again():
    assert retry_when(Moved, moves(2), failure=ValueError()) == 3


def test_a_race_that_is_lost_every_time_raises_the_callers_failure():
    act = moves(9)
    with pytest.raises(ValueError, match="look again"):
        retry_when(Moved, act, attempts=2, failure=ValueError("look again"))
    with pytest.raises(Moved):
        act()  # the third call


def test_other_errors_are_not_tried_again():
    act = moves(1)
    with pytest.raises(Moved):
        retry_when(KeyError, act, failure=ValueError())
    assert act() == 2
