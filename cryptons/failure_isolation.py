"""Do something for many, so that one for which it cannot be done does not keep the others waiting."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryptons.db import is_outage

logger = logging.getLogger(__name__)

MOST_REMEMBERED = 10_000

_explained: set[tuple[str, str, str]] = set()


@contextmanager
def isolate(act: str, reference: object, *, tell: Callable[[Exception], object] | None = None) -> Iterator[None]:
    """What goes wrong in the block is logged and told by `tell`; then the next one has its turn. The next sweep finds this one again.

    A database that is away is no fault of this one: its errors end the turn.
    """
    try:
        yield
    except Exception as error:
        if is_outage(error):
            raise
        log_failure(act, reference, error)
        if tell is not None:
            with isolate("telling of a failure", reference):
                tell(error)


def log_failure(act: str, reference: object, error: Exception) -> None:
    """With its way through the code once in each process: what cannot be done now fails again every few seconds."""
    kind = (act, str(reference), type(error).__name__)
    is_new = kind not in _explained
    if len(_explained) >= MOST_REMEMBERED:
        _explained.clear()
    _explained.add(kind)
    logger.error("%s failed", act, exc_info=error if is_new else None, extra={"reference": str(reference), "error": type(error).__name__})
