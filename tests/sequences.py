"""How many random lives are run, and by which seeds.

SEQUENCES in the environment says how many in all. Up to 2,000 the seeds are fixed, so that what passed today passes tomorrow; a search
for more (SEQUENCES=40000) is random.
"""

import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

T = TypeVar("T", bound=Callable[..., Any])

SEQUENCES = int(os.environ.get("SEQUENCES", "500"))
IS_RANDOM = SEQUENCES > 2_000
EXAMPLES = min(500, max(100, SEQUENCES // 4))
"""Of a property of pure functions, in which no database takes part: all of them on SQLite, fewer where the other databases are tested."""
PAYOUT_LIVES = max(20, SEQUENCES * 12 // 100)
"""Of one invoice each. They are not counted among the sequences, because they are short."""
PERCENT = {"invoices": 40, "orders": 10, "shops": 6, "facts in two orders": 50}


def lives(kind: str, *, parts: int) -> int:
    """How many sequences each part of a test runs."""
    return SEQUENCES * PERCENT[kind] // 100 // parts


def seeded(test: T, part: int) -> T:
    return test if IS_RANDOM else seed(part)(test)


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
