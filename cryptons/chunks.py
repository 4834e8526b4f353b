from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

CHUNK = 500
"""As many ids as fit into one query of any database."""


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut the items into lists of `size`; the last one may be shorter. Reads no further than the list it yields."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
