from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from django.db.models import QuerySet

T = TypeVar("T")

CHUNK = 500
"""As many ids as fit into one query of any database."""


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut the items into lists of `size`; the last one may be shorter. Reads no further than the list it yields."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def delete_in_chunks(rows: QuerySet[Any]) -> int:
    """Delete the rows, a chunk in each statement, so that no lock and no transaction grows with them. Returns how many went."""
    deleted = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:CHUNK]):
        deleted += rows.filter(pk__in=keys).delete()[0]
    return deleted
