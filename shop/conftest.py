from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.test import Client

from shop.cart.contents import SESSION_KEY
from shop.catalogue.changes import rebuild_search
from shop.models import CartItem
from shop.search import Query, engine
from shop.search.base import SearchUnavailable
from shop.tests.factories import CartItemFactory


@pytest.fixture
def item(client: Client) -> CartItem:
    """Two kettles of ten, in this visitor's cart."""
    item: CartItem = CartItemFactory.create(quantity=2)
    session = client.session
    session[SESSION_KEY] = str(item.cart_id)
    session.save()
    return item


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
