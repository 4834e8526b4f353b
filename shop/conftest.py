from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cryptons.circuit_breaker import CircuitBreaker
from cryptons.db import new_id
from shop.catalogue.changes import rebuild_search
from shop.search import Query, engine
from shop.search.base import SearchUnavailable


@pytest.fixture(autouse=True)
def _own_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has an index of its own; none is built until a test asks for it."""
    if engine.name == "tantivy":
        monkeypatch.setattr(engine, "_folder", tmp_path / "search")
        monkeypatch.setattr(engine, "_open", None)
        yield
        return
    monkeypatch.setattr(engine, "alias", f"test-{new_id().hex}")
    monkeypatch.setattr(engine, "_page_circuit", CircuitBreaker(rest_seconds=3))
    monkeypatch.setattr(engine, "_index_circuit", CircuitBreaker(rest_seconds=15))
    yield
    elasticsearch: Any = engine
    for index in elasticsearch._client.indices.get(index=f"{elasticsearch.alias}-*"):
        elasticsearch._client.indices.delete(index=index)


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
