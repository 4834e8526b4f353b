"""Requests for links are answered in turn, and nobody makes the others wait."""

import pytest

from accounts.models import LinkRequest
from accounts.recovery import request_link
from cryptons import waiting_requests
from cryptons.waiting_requests import ATTEMPTS, MOST_OF_AN_ADDRESS, answer_in_turn
from shop.models import OrderLinkRequest
from shop.orders.order_link import ask_for_link

pytestmark = pytest.mark.django_db


@pytest.fixture
def answered():
    return []


@pytest.fixture
def turn(answered):
    def answer(request):
        if request.email.startswith("broken"):
            raise ZeroDivisionError
        answered.append(request.email)
        request.delete()

    return lambda: answer_in_turn(LinkRequest.objects.all(), answer, doing="answering")


def ask(*names):
    for name in names:
        request_link("reset", f"{name}@example.com")


def test_the_oldest_is_answered_first(turn, answered, monkeypatch):
    monkeypatch.setattr(waiting_requests, "BATCH", 2)
    ask("ada", "grace", "joan")
    turn()
    assert answered == ["ada@example.com", "grace@example.com"]
    turn()
    assert answered[2:] == ["joan@example.com"]


def test_those_that_fail_wait_behind_the_others_and_are_dropped_in_the_end(turn, answered, monkeypatch):
    monkeypatch.setattr(waiting_requests, "BATCH", 2)
    ask("broken1", "broken2", "ada")
    turn()
    assert answered == []
    turn()
    assert answered == ["ada@example.com"]
    for _ in range(ATTEMPTS + 1):
        turn()
    assert not LinkRequest.objects.exists()


def test_one_that_two_workers_have_tried_at_once_is_dropped_too(turn):
    ask("broken")
    LinkRequest.objects.update(attempts=ATTEMPTS + 1)
    turn()
    assert not LinkRequest.objects.exists()


@pytest.mark.parametrize(
    ("rows", "ask_for"),
    [
        (LinkRequest.objects, lambda number, email: request_link("reset", email)),
        (OrderLinkRequest.objects, lambda number, email: ask_for_link(f"A{number}", email)),
    ],
)
def test_few_wait_for_one_address(rows, ask_for):
    for number in range(MOST_OF_AN_ADDRESS + 2):
        ask_for(number, "Ada@example.com")
    ask_for(1, "grace@example.com")
    assert rows.filter(email="ada@example.com").count() == MOST_OF_AN_ADDRESS
    assert rows.filter(email="grace@example.com").count() == 1
