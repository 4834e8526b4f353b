"""Read a node's answer about many payments, so that one unreadable payment does not hide the others."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptons.failure_isolation import log_failure

NOT_UNDERSTOOD = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, OSError)
"""What reading raises where something is missing, or is not what the node's interface says; OSError is what a time too large raises."""


@contextmanager
def reading(reference: str, unread: set[str]) -> Iterator[None]:
    """Guard the reading of one payment: if it cannot be read, its reference is added to `unread`, for staff to check."""
    try:
        yield
    except NOT_UNDERSTOOD as error:
        log_failure("reading a payment", reference, error)
        unread.add(reference)


def name_of(raw: Any, *names: str) -> str:
    """Return a reference for an entry that may lack one: the first of these fields that exists, else a fingerprint."""
    reference = next((raw[name] for name in names if isinstance(raw, dict) and raw.get(name)), None)
    return str(reference or f"without a name {hashlib.sha256(repr(raw).encode()).hexdigest()[:16]}")[:100]
