"""Servers are asked side by side, and nobody waits for one that hangs."""

from datetime import timedelta
from threading import Barrier, Event
from types import SimpleNamespace

import pytest

from cryptons import fan_out
from cryptons.fan_out import gather_within

SOON = timedelta(seconds=30)


def test_answers_are_returned_by_name():
    assert gather_within({"one": lambda: 1, "two": lambda: 2}, within=SOON) == {"one": 1, "two": 2}


def test_all_calls_run_at_the_same_time():
    together = Barrier(3, timeout=30)
    assert set(gather_within({str(number): together.wait for number in range(3)}, within=SOON)) == {"0", "1", "2"}


def test_a_call_that_hangs_is_left_out_and_the_others_are_returned(monkeypatch):
    never, clock = Event(), iter([0, 0, SOON.total_seconds()])
    monkeypatch.setattr(fan_out, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert gather_within({"hangs": never.wait, "answers": lambda: 1}, within=SOON) == {"answers": 1}
    never.set()


def test_an_answer_of_none_is_returned():
    assert gather_within({"nothing": lambda: None}, within=SOON) == {"nothing": None}


def test_an_error_in_a_call_is_raised_to_the_caller():
    def broken():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        gather_within({"broken": broken}, within=SOON)
