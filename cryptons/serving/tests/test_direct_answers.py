import asyncio
from dataclasses import dataclass, field

import pytest
from granian import _futures

from cryptons.serving.direct_answers import answer_directly


@dataclass
class Watcher:
    scope: str
    proto: str = "exchange"
    ended: list = field(default_factory=list)

    def done(self):
        self.ended.append(self.scope)


@pytest.fixture
def scheduled(monkeypatch):
    """What was left to the event loop."""
    left = []
    monkeypatch.setattr(_futures, "_cbsched_aioschedule", lambda loop, context, callback: left.append)
    return left


def schedule(send, watcher):
    answer_directly(send)
    _futures._cbsched_aioschedule(None, None, None)(watcher)


def test_what_is_ready_is_answered_without_the_event_loop(scheduled):
    watcher = Watcher("/")
    schedule(lambda scope, exchange: (scope, exchange) == ("/", "exchange"), watcher)

    assert (watcher.ended, scheduled) == (["/"], [])


def test_what_is_not_ready_is_left_to_the_event_loop(scheduled):
    watcher = Watcher("/cart/")
    schedule(lambda scope, exchange: False, watcher)

    assert (watcher.ended, scheduled) == ([], [watcher])


def test_a_ready_answer_that_fails_is_logged_and_left_to_the_event_loop(scheduled, caplog):
    def fail(scope, exchange):
        raise ValueError("a defect")

    watcher = Watcher("/")
    schedule(fail, watcher)

    assert (watcher.ended, scheduled) == ([], [watcher])
    assert "a defect" in caplog.text


def test_granian_makes_its_scheduler_of_this_function(monkeypatch):
    made = []
    monkeypatch.setattr(_futures, "_cbsched_aioschedule", lambda loop, context, callback: made.append(callback) or made.append)
    loop = asyncio.new_event_loop()
    try:
        _futures._new_cbscheduler(loop, "callback", impl_asyncio=True)
    finally:
        loop.close()

    assert made == ["callback"]


def test_without_this_function_the_front_answers_on_the_event_loop(monkeypatch):
    monkeypatch.delattr(_futures, "_cbsched_aioschedule")

    answer_directly(lambda scope, exchange: True)

    assert not hasattr(_futures, "_cbsched_aioschedule")
