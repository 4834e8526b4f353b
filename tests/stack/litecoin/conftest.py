from collections.abc import Iterator

import pytest

from tests.running import Shop
from tests.stack.bitcoind import Node
from tests.stack.buying import (
    stock_product,
)
from tests.stack.conftest import open_node, open_shop
from tests.stack.litecoind import LitecoinNode


@pytest.fixture(scope="module")
def litecoin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LitecoinNode]:
    yield from open_node(LitecoinNode(tmp_path_factory.mktemp("litecoind")))


@pytest.fixture(scope="module")
def shop(node: Node, litecoin: LitecoinNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """On both nodes."""
    yield from open_shop(node, tmp_path_factory.mktemp("both"), litecoin.settings())


@pytest.fixture(scope="module")
def product(shop: Shop) -> str:
    return stock_product(shop, stock=1000)
