import pytest

from shop.search import engine
from shop.search.keeping import rebuild


@pytest.fixture(autouse=True)
def _own_index(tmp_path, monkeypatch):
    """Each test has a folder of its own for the index; none is built until a test asks for it."""
    monkeypatch.setattr(engine, "_folder", tmp_path / "search")
    monkeypatch.setattr(engine, "_open", None)


@pytest.fixture
def build_index(_own_index, db):
    return rebuild
