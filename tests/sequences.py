"""How many random lives are run, and by which seeds.

The seeds are fixed, so that a test that passed today passes tomorrow. HYPOTHESIS_TIMES=20 runs twenty times as many lives, by chance.
"""

import os
from typing import Any

from django.db import connection
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

TIMES = int(os.environ.get("HYPOTHESIS_TIMES", "0"))
LIVES = {"invoices": 1200, "orders": 300, "facts in two orders": 500}
"""On SQLite; together 2,000 and more."""
SHARE = {"sqlite": 1, "postgresql": 4, "mongodb": 10}
"""Slower databases run fewer."""


def lives(kind: str, *, parts: int = 1) -> int:
    return LIVES[kind] * max(1, TIMES) // SHARE[connection.vendor] // parts


def sequence_settings(count: int, **more: Any) -> settings:
    return settings(
        max_examples=count, deadline=None, database=None, derandomize=not TIMES, suppress_health_check=list(HealthCheck), **more
    )


def live(machine: type[RuleBasedStateMachine], kind: str, *, part: int, parts: int, steps: int) -> None:
    """Run this part of the machine's lives, which counts in `lived` those that came to their end."""
    count = lives(kind, parts=parts)
    counted: Any = type(machine.__name__, (machine,), {"lived": 0})
    run_state_machine_as_test(counted if TIMES else seed(part)(counted), settings=sequence_settings(count, stateful_step_count=steps))
    assert counted.lived >= count
