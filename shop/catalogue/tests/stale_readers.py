"""Readers and changes for the tests of what is shown while the search index lags behind."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.test import Client

from cryptons import response_cache
from cryptons.db import in_transaction
from shop.catalogue import changes, version
from shop.catalogue.changes import product_changed, stock_changed
from shop.models import Product


class Queue:
    """Holds the tasks that index products until a test runs them, or loses them."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def add(self, task: Callable[[list[str]], None], ids: list[str]) -> None:
        self.waiting.append(partial(task, ids))

    def run(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    """The queue of every test of a module that imports this."""
    queue = Queue()
    monkeypatch.setattr(changes, "enqueue", queue.add)
    return queue


class Reader:
    """An anonymous visitor who is always served by the same process, with what that process remembers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch, self._client = monkeypatch, Client()
        self._responses = response_cache._LruBytes()
        self._known: Any = None

    def get(self, path: str, *, is_later: bool = True) -> Any:
        """Read a page; `is_later`: after the second for which a process does not read the versions in Redis again."""
        known = self._known
        version._known = replace(known, until=0) if known and is_later else known
        self._monkeypatch.setattr(response_cache, "_cache", self._responses)
        response = self._client.get(path)
        self._known = version._known
        return response

    def names(self, path: str) -> list[str]:
        return [row["name"] for row in self.get(path).json()["data"]]


def save(product: Product, **values: object) -> None:
    for name, value in values.items():
        setattr(product, name, value)

    def write() -> None:
        product.save()
        product_changed([product.pk])

    in_transaction(write)


def sell(product: Product, quantity: int) -> None:
    """Change the stock as an order does; a negative quantity comes back."""
    stock = Product.objects.values_list("stock", flat=True).get(pk=product.pk)

    def write() -> None:
        Product.objects.filter(pk=product.pk).update(stock=stock - quantity)
        stock_changed({product.pk: -quantity})

    in_transaction(write)
