from collections.abc import Iterator

import pytest

from tests.running import Shop
from tests.stack.bitcoind import Node
from tests.stack.buying import (
    stock_product,
)
from tests.stack.conftest import open_node, open_shop
from tests.stack.lightning import LightningPair


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One of its own: here blocks are taken back."""
    yield from open_node(Node(tmp_path_factory.mktemp("bitcoind")))


@pytest.fixture(scope="module")
def pair(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightningPair]:
    pair = LightningPair(tmp_path_factory.mktemp("lightning"), node)
    pair.start()
    yield pair
    pair.stop()


@pytest.fixture(scope="module")
def shop(node: Node, pair: LightningPair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from open_shop(node, tmp_path_factory.mktemp("acceptance"), pair.shop.settings() | {"LIGHTNING_ROUND_SECONDS": "2"})


@pytest.fixture(scope="module")
def product(shop: Shop) -> str:
    return stock_product(shop, stock=5000)
