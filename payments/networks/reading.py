"""Read what a node says of many payments, so that one that cannot be understood does not keep the others' money from being seen."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptons.failure_isolation import log_failure

NOT_UNDERSTOOD = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, OSError)
"""What reading raises where something is missing, or is not what the node's interface says; OSError is what a time too large raises."""


@contextmanager
def reading(reference: str, unread: set[str]) -> Iterator[None]:
    """What is said of this payment. Its reference goes to `unread` when it cannot be understood: staff look at it by hand."""
    try:
        yield
    except NOT_UNDERSTOOD as error:
        log_failure("reading a payment", reference, error)
        unread.add(reference)


def name_of(raw: Any, *names: str) -> str:
    """A reference for something that may lack one: the first of these fields that is there, else a fingerprint."""
    found = next((raw[name] for name in names if isinstance(raw, dict) and raw.get(name)), None)
    return str(found or f"without a name {hashlib.sha256(repr(raw).encode()).hexdigest()[:16]}")[:100]
