"""A circuit breaker: after a failure a service is left alone for a while, then one caller tries it for all others."""

import time
from collections.abc import Callable
from threading import Lock, get_ident


class CircuitBreaker:
    """Says whether a service may be called. Safe to share between threads.

    Closed: all may call. A failure opens it: no calls for `rest_seconds`. Then it is half-open: the thread that asks next may call, and
    the others wait for its outcome. Success closes the breaker, failure opens it again; a thread that reports neither within `rest_seconds`
    loses its turn to the next one.
    """

    def __init__(self, *, rest_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rest_seconds = rest_seconds
        self._clock = clock
        self._lock = Lock()
        self._open_until: float | None = None
        """None while closed."""
        self._trying: int | None = None
        """The thread that may call while half-open."""

    def allows(self) -> bool:
        """Return whether the caller may call the service now, and reserve the trial for it while half-open."""
        if self._open_until is None:
            return True
        with self._lock:
            if self._open_until is None or self._trying == get_ident():
                return True
            if self._clock() < self._open_until:
                return False
            self._open_until, self._trying = self._clock() + self.rest_seconds, get_ident()
            return True

    def record_success(self) -> None:
        if self._open_until is not None:
            with self._lock:
                self._open_until = self._trying = None

    def record_failure(self) -> None:
        with self._lock:
            self._open_until, self._trying = self._clock() + self.rest_seconds, None
