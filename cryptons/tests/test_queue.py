"""The queue is a hint: who gives it one does not notice when it is away."""

import pytest
from kombu.exceptions import OperationalError

from cryptons import celery
from cryptons.celery import enqueue, queue_length
from cryptons.circuit_breaker import CircuitBreaker


class Task:
    def __init__(self, error=None):
        self.error = error
        self.asked = []

    def apply_async(self, arguments, **options):
        self.asked.append((arguments, options))
        if self.error:
            raise self.error


@pytest.fixture(autouse=True)
def _back(monkeypatch):
    monkeypatch.setattr(celery, "_circuit", CircuitBreaker(rest_seconds=2))


def test_enqueue_sends_a_task_without_retrying():
    task = Task()
    enqueue(task, 1, "two", expires=60)
    assert task.asked == [((1, "two"), {"retry": False, "expires": 60})]


@pytest.mark.parametrize("error", [OperationalError("refused"), ConnectionRefusedError(), TimeoutError()])
def test_enqueue_skips_an_unreachable_broker_until_the_circuit_closes(error, monkeypatch):
    task = Task(error)
    now = [1000.0]
    monkeypatch.setattr(celery, "_circuit", CircuitBreaker(rest_seconds=2, clock=lambda: now[0]))

    enqueue(task, 1)
    enqueue(task, 2)
    assert [arguments for arguments, _ in task.asked] == [(1,)]

    now[0] += 2
    task.error = None
    enqueue(task, 3)
    assert [arguments for arguments, _ in task.asked] == [(1,), (3,)]


def test_enqueue_raises_an_error_that_is_not_an_outage_of_the_broker():
    with pytest.raises(ValueError, match="cannot be written"):
        enqueue(Task(ValueError("cannot be written")))


def test_the_queue_length_counts_the_messages_of_every_queue():
    before = queue_length()
    for queue in ("celery", "settling", "mails", "search", "payouts"):
        celery.app.send_task("nobody.does.this", queue=queue)

    assert queue_length() == before + 5
