"""The drill of docs/production.md: back up while orders come in, lose the shop, restore it, reconcile."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.running import Shop, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import buy, invoice_status, stock_product, wait_until, wait_until_settled
from tests.stack.conftest import open_node, open_shop
from tests.stack.ledger import manage, read_ledger


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One of its own: all that its wallet received is compared with the shop's ledger."""
    yield from open_node(Node(tmp_path_factory.mktemp("bitcoind")))


@pytest.fixture(scope="module")
def shop(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from open_shop(node, tmp_path_factory.mktemp("restored"), {})


def back_up(shop: Shop, copy: Path) -> None:
    """While the shop runs, as `sqlite3 var/cryptons.sqlite3 ".backup copy.sqlite3"` does."""
    with closing(sqlite3.connect(shop.data / "cryptons.sqlite3")) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def restore(shop: Shop, copy: Path) -> None:
    for leftover in shop.data.glob("cryptons.sqlite3*"):
        leftover.unlink()
    copy.rename(shop.data / "cryptons.sqlite3")


def test_a_restored_shop_finds_what_was_paid_and_reports_money_for_orders_that_it_lost(shop: Shop, node: Node, tmp_path: Path):
    product = stock_product(shop, stock=100)
    paid, open_one = buy(shop, product), buy(shop, product)
    node.pay(paid.address, paid.amount)
    wait_until(shop, paid, "processing")
    back_up(shop, tmp_path / "copy.sqlite3")
    lost, given_up = buy(shop, product), buy(shop, product)
    node.pay(lost.address, lost.amount)
    wait_until(shop, lost, "processing")
    shop.stop()
    node.pay(open_one.address, open_one.amount)
    node.mine(2)

    restore(shop, tmp_path / "copy.sqlite3")
    shop.start()
    wait_until_settled(shop, [paid, open_one])

    code, said, _ = manage(shop, "reconcile")
    assert (code, said.count("for an unknown order"), f"for the order {lost.number}" in said) == (1, 1, True)
    texts = wait_for("staff to be alerted", lambda: read_ledger(shop, "select text from payments_alert"))
    assert [f"for the order {lost.number}, which the shop does not know" in str(text) for (text,) in texts] == [True]
    fresh = buy(shop, product)
    assert fresh.address not in {paid.address, open_one.address, lost.address, given_up.address}
    assert invoice_status(shop, fresh) == "new"
