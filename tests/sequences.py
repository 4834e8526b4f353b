"""How many random lives are run, and by which seeds.

The seeds are fixed, so that what passed today passes tomorrow. HYPOTHESIS_TIMES=20 runs twenty times as many, by chance.
"""

import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connection
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

T = TypeVar("T", bound=Callable[..., Any])

TIMES = int(os.environ.get("HYPOTHESIS_TIMES", "0"))
LIVES = {"invoices": 800, "orders": 200, "facts in two orders": 1000}
"""On SQLite."""
SHARE = {"sqlite": 1, "postgresql": 4, "mongodb": 10}
"""Slower databases run so many times fewer."""


def lives(kind: str, *, parts: int) -> int:
    """How many each part of a test runs."""
    return LIVES[kind] * max(1, TIMES) // SHARE[connection.vendor] // parts


def seeded(test: T, part: int) -> T:
    return test if TIMES else seed(part)(test)


def settings_for(count: int, **more: Any) -> settings:
    return settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck), **more)


def live(machine: type[RuleBasedStateMachine], kind: str, *, part: int, parts: int, steps: int) -> None:
    """Run one part of a machine's lives. The machine counts in `lived` those that it has seen to their end."""
    count = lives(kind, parts=parts)
    counted: Any = type(machine.__name__, (machine,), {"lived": 0})
    logging.disable(logging.WARNING)
    try:
        run_state_machine_as_test(seeded(counted, part), settings=settings_for(count, stateful_step_count=steps))
    finally:
        logging.disable(logging.NOTSET)
    assert counted.lived >= count
