"""Keep one failing item of a batch from stopping the others."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryptons.db import is_outage

logger = logging.getLogger(__name__)

MAX_REMEMBERED = 10_000

_logged: set[tuple[str, str, str]] = set()


@contextmanager
def isolate(act: str, reference: object, *, on_failure: Callable[[Exception], object] | None = None) -> Iterator[None]:
    """Log an error of the block and pass it to `on_failure`, then go on with the next item. The next sweep finds this one again.

    A database that is unreachable is not this item's fault: its errors are raised and end the sweep.
    """
    try:
        yield
    except Exception as error:
        if is_outage(error):
            raise
        log_failure(act, reference, error)
        if on_failure is not None:
            with isolate("reporting a failure", reference):
                on_failure(error)


def log_failure(act: str, reference: object, error: Exception) -> None:
    """Log the failure, with its traceback only once in each process, because it repeats every few seconds until it is repaired."""
    kind = (act, str(reference), type(error).__name__)
    is_new = kind not in _logged
    if len(_logged) >= MAX_REMEMBERED:
        _logged.clear()
    _logged.add(kind)
    logger.error("%s failed", act, exc_info=error if is_new else None, extra={"reference": str(reference), "error": type(error).__name__})
