"""Reads that may be some moments late go to the database's replica, while there is one that answers. Money never does."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.db import Error
from pymongo.errors import PyMongoError

T = TypeVar("T")

AWAY_SECONDS = 10
"""After a failure nobody asks it for so long."""

_away_until = 0
logger = logging.getLogger(__name__)


def has_replica() -> bool:
    return "replica" in settings.DATABASES


def read_replica(read: Callable[[str], T]) -> T:
    """What `read` finds in the database whose alias it is given: the replica, or the primary when that does not answer.

    `read` asks all that it asks before it returns: what it leaves lazy is not caught here.
    """
    global _away_until
    if has_replica() and time.monotonic_ns() > _away_until:
        try:
            return read("replica")
        except (Error, PyMongoError) as error:  # away, or so late that it lacks a table yet; a mistake fails on the primary too
            _away_until = time.monotonic_ns() + AWAY_SECONDS * 10**9
            logger.warning("The replica cannot answer: the primary does.", extra={"error": type(error).__name__})
    return read("default")
