from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from shop.catalogue.changes import rebuild_search
from shop.search import Query, engine
from shop.search.base import SearchUnavailable


@pytest.fixture
def build_index(_own_index: None, db: None) -> Callable[[], int]:
    return rebuild_search if engine.name == "tantivy" else rebuild_and_warm


def rebuild_and_warm() -> int:
    """Rebuild the index and send first queries, because a server that has just started may answer later than a page waits."""
    elasticsearch: Any = engine
    count = rebuild_search()
    for _ in range(10):
        with suppress(SearchUnavailable):
            engine.search(Query(text="warm"))
            break
        elasticsearch._page_circuit.record_success()
    return count
