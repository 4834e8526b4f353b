"""Requests for a mail that are answered by a task, so that neither the answer nor its time tells what exists."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import models

from cryptons.db import BaseModel
from cryptons.failure_isolation import isolate

BATCH = 100
ATTEMPTS = 5
MOST_OF_AN_ADDRESS = 20
"""Requests of a kind for one mail address that wait at the same time."""


class WaitingRequest(BaseModel):
    email = models.EmailField()
    """Where the mail goes; in lower case."""
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True


R = TypeVar("R", bound=WaitingRequest)


def store(request: WaitingRequest) -> None:
    """Store the request, unless too many for its address wait already: nobody makes the others wait."""
    waiting: models.QuerySet[Any] = type(request)._default_manager.filter(email=request.email)
    if waiting.count() < MOST_OF_AN_ADDRESS:
        request.save(force_insert=True)


def answer_in_turn(requests: "models.QuerySet[R]", answer: Callable[[R], None], *, doing: str) -> None:
    """Answer a batch of those that wait, the oldest first. `answer` deletes its request.

    One that fails waits behind all that were not tried yet, and is dropped after some attempts.
    """
    for request in requests.order_by("attempts", "pk")[:BATCH]:
        if request.attempts >= ATTEMPTS:
            request.delete()
            continue
        requests.filter(pk=request.pk).update(attempts=models.F("attempts") + 1)
        with isolate(doing, request.pk):
            answer(request)
