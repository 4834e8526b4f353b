"""Reads that may be a few seconds late go to the database's replica, while there is one that answers. Money is never read there."""

import logging
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.db import Error
from pymongo.errors import PyMongoError

from cryptons.circuit_breaker import CircuitBreaker

T = TypeVar("T")

_circuit = CircuitBreaker(rest_seconds=10)
logger = logging.getLogger(__name__)


def has_replica() -> bool:
    return "replica" in settings.DATABASES


def read_replica(read: Callable[[str], T]) -> T:
    """Call `read` with a database alias and return its result: the replica's, or the primary's when the replica does not answer.

    `read` must run all its queries before it returns: errors of a lazy queryset are not caught here.
    """
    if has_replica() and _circuit.allows():
        try:
            answer = read("replica")
        except (Error, PyMongoError) as error:  # away, or so late that it lacks a table yet; a mistake fails on the primary too
            _circuit.record_failure()
            logger.warning("The replica cannot answer: the primary does.", extra={"error": type(error).__name__})
        else:
            _circuit.record_success()
            return answer
    return read("default")
