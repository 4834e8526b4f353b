import os
import shutil
import tempfile
from collections import ChainMap
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.running import FIRST_START, PATIENCE, Shop, data_of_a_first_start, share_first_start
from tests.servers import Server, elasticsearch, mongodb, redis_server, running
from tests.stack.bitcoind import Node

LONGEST = ("test_many_payments.py", "test_paying.py", "test_outages.py", "test_elasticsearch.py", "test_reconcile.py")
"""Files that several processes begin with: otherwise one would still run when nothing else is left to do."""
AnyNode = TypeVar("AnyNode", bound=Node)


def pytest_configure(config: pytest.Config) -> None:
    if FIRST_START not in os.environ:  # else this is one of several processes that run the tests
        config.add_cleanup(share_first_start())


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """Not pytest's: that closes its own to other users, as PostgreSQL's is, whenever another run begins."""
    folder = Path(tempfile.mkdtemp(prefix="cryptons-server-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    yield from open_node(Node(tmp_path_factory.mktemp("bitcoind")))


def open_node(node: AnyNode) -> Iterator[AnyNode]:
    """Running, with its wallets."""
    node.start()
    node.make_wallets()
    yield node
    if node.is_ours and node.process is not None:
        node.stop()


SHAPES: dict[str, list[Callable[[Path], Server]]] = {"stall": [], "marketplace": [mongodb, redis_server, elasticsearch]}
"""The servers that a shop stands on besides the node."""


@pytest.fixture(scope="module", params=SHAPES)
def shop(request: pytest.FixtureRequest, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Web and worker on the node, with the merchant's public descriptor and an empty catalogue."""
    with ExitStack() as servers:
        settings = [servers.enter_context(running(start)).settings for start in SHAPES[request.param]]
        yield from open_shop(node, tmp_path_factory.mktemp("shop"), dict(ChainMap(*settings)))


def open_shop(node: Node, folder: Path, settings: dict[str, str]) -> Iterator[Shop]:
    shop = shop_on(node, folder, settings)
    shop.start()
    yield shop
    shop.stop()


def shop_on(node: Node, folder: Path, settings: dict[str, str]) -> Shop:
    """Not yet started; with the empty data of an earlier start, which saves the static files, and on SQLite the migrations."""
    usual = {"RATES": "fixed:BTC=65000.00,LTC=80.00", "FOLLOW_SECONDS": "1", "INVOICE_MINUTES": "60", "PAYOUT_FEE_MINIMUM": "10"}
    patience = {"NODE_TIMEOUT_SECONDS": str(min(5 * PATIENCE, 60))}
    shop = Shop(folder, "--no-demo", **(usual | patience | node.settings() | settings))
    if not shop.data.exists():
        shutil.copytree(data_of_a_first_start(), shop.data)
    return shop


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any]:
    """A failure shows what the shop said during the test."""
    outcome = yield
    report = outcome.get_result()
    shop = getattr(item, "funcargs", {}).get("shop")
    if report.failed and isinstance(shop, Shop) and shop.log.exists():
        report.sections.append(("The shop's last words", shop.said()[-4000:]))
