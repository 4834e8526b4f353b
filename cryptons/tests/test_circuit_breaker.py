"""After a failure a service is left alone for a while, then one thread tries it for all others."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from cryptons.circuit_breaker import CircuitBreaker

REST_SECONDS = 10


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(rest_seconds=REST_SECONDS, clock=clock)


@pytest.fixture
def other():
    """Another thread."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda ask: pool.submit(ask).result()


def test_a_closed_breaker_allows_calls_from_all_threads(breaker, other):
    assert [breaker.allows(), breaker.allows(), other(breaker.allows)] == [True, True, True]


def test_a_failure_opens_the_breaker_for_all_threads_until_its_rest_ends(breaker, clock, other):
    breaker.record_failure()

    clock.now += REST_SECONDS - 0.001
    assert (breaker.allows(), other(breaker.allows)) == (False, False)
    clock.now += 0.001
    assert breaker.allows()


def test_a_half_open_breaker_allows_calls_from_one_thread_only(breaker, clock, other):
    breaker.record_failure()
    clock.now += REST_SECONDS

    assert [breaker.allows(), other(breaker.allows), breaker.allows()] == [True, False, True]


def test_a_trial_that_succeeds_closes_the_breaker(breaker, clock, other):
    breaker.record_failure()
    clock.now += REST_SECONDS
    breaker.allows()

    breaker.record_success()

    assert (other(breaker.allows), breaker.allows()) == (True, True)


def test_a_trial_that_fails_opens_the_breaker_for_another_rest(breaker, clock, other):
    breaker.record_failure()
    clock.now += REST_SECONDS
    breaker.allows()
    clock.now += 3

    breaker.record_failure()

    clock.now += REST_SECONDS - 0.001
    assert (breaker.allows(), other(breaker.allows)) == (False, False)
    clock.now += 0.001
    assert other(breaker.allows)


def test_a_trial_without_an_outcome_is_left_to_another_thread_after_a_rest(breaker, clock, other):
    breaker.record_failure()
    clock.now += REST_SECONDS
    breaker.allows()

    clock.now += REST_SECONDS - 0.001
    assert not other(breaker.allows)
    clock.now += 0.001
    assert other(breaker.allows)
    assert not breaker.allows()


def test_only_one_of_many_simultaneous_threads_may_try_the_call(breaker, clock):
    breaker.record_failure()
    clock.now += REST_SECONDS
    start = Barrier(8)

    def ask(_):
        start.wait()
        return breaker.allows()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
