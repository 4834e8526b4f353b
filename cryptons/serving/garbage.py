"""How often the processes that serve look for garbage: Python's own rhythm is for small programs."""

import gc

MADE = 10_000
"""Objects more than were freed, until the youngest of them are looked through. A request leaves hardly any that only this finds."""


def load_without_collections() -> None:
    """Look for no garbage until `collect_rarely`. Loading makes hardly any, and to look for it takes a fifth of the time."""
    gc.disable()


def collect_rarely() -> None:
    """Leave what is loaded out of all collections, and collect the rest more rarely. Call this when all is loaded."""
    gc.enable()
    gc.freeze()
    gc.set_threshold(MADE, 20, 20)
