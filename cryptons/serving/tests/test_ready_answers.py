import time

import pytest

from cryptons import response_cache
from cryptons.response_cache import OUTAGE, distrust
from cryptons.serving import ready_answers


class Versions:
    def __init__(self):
        self.version = "1"

    def __call__(self):
        if isinstance(self.version, Exception):
            raise self.version
        return self.version


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        seconds = time.monotonic_ns() / 10**9

    monkeypatch.setattr(ready_answers.time, "monotonic_ns", lambda: int(Clock.seconds * 10**9))
    monkeypatch.setattr(response_cache, "_distrusted_at", 0)
    return Clock


@pytest.fixture
def kept(clock):
    """One answer under a version, and the answers it is kept in."""
    versions = Versions()
    now = int(clock.seconds * 10**9)
    ready = ready_answers.Ready("1", versions, b"x", None, "text/plain", "public", '"e"', now + 300 * 10**9, now, now)
    answers = ready_answers.ReadyAnswers()
    answers.put(("/",), ready_answers.make_answer(ready, []))
    return answers, versions


def turns(clock, answers, seconds):
    """Let the time pass with a turn of the thread in each second, while the answer is in use."""
    for _ in range(seconds):
        clock.seconds += 1
        answers.find(("/",))
        answers.verify()


def test_an_answer_in_use_is_verified_and_goes_on(kept, clock):
    answers, _versions = kept
    turns(clock, answers, 30)

    assert answers.find(("/",))


def test_an_answer_of_an_old_version_ends_with_the_next_turns(kept, clock):
    answers, versions = kept
    versions.version = "2"
    turns(clock, answers, 3)

    assert answers.find(("/",)) is None


def test_an_answer_that_nobody_used_is_asked_for_again(kept, clock):
    answers, _versions = kept
    for _ in range(10):
        clock.seconds += 1
        answers.verify()

    assert answers.find(("/",)) is None


def test_ready_answers_go_on_while_the_cache_hangs(kept, clock):
    answers, _versions = kept
    turns(clock, answers, 1)
    clock.seconds += 120  # the thread's next turn does not end

    assert answers.find(("/",))
    clock.seconds += 300
    assert answers.find(("/",)) is None


def test_ready_answers_go_on_for_a_minute_without_a_cache_unless_this_process_changed_something(kept, clock):
    answers, versions = kept
    versions.version = f"{OUTAGE}1"
    turns(clock, answers, 50)
    assert answers.find(("/",))
    turns(clock, answers, 15)
    assert answers.find(("/",)) is None

    versions.version = "1"
    answers.verify()
    assert answers.find(("/",))
    versions.version = f"{OUTAGE}2"
    clock.seconds += 0.5
    distrust()
    turns(clock, answers, 1)
    assert answers.find(("/",)) is None
