"""A node that knows nothing, or something else: re-verifying, with another wallet or chain, with a wrong clock. Nobody loses an order."""

import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.running import LONGEST, Shop, wait_for
from tests.stack.acceptance.watching import wait_for_a_turn
from tests.stack.bitcoind import Node
from tests.stack.buying import Bought, buy, invoice_status, standing, stock_product, wait_until, wait_until_settled
from tests.stack.chain import take_coin
from tests.stack.conftest import open_node, open_shop
from tests.stack.ledger import manage

THREE_HOURS = 3 * 3600
UNCHANGED = ["settled", "processing", "new"]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One of its own: here it is stopped, and its wallets are deleted."""
    yield from open_node(Node(tmp_path_factory.mktemp("bitcoind")))


@pytest.fixture(scope="module")
def shop(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from open_shop(node, tmp_path_factory.mktemp("untrusting"), {})


@pytest.fixture(scope="module")
def product(shop: Shop) -> str:
    return stock_product(shop, stock=1000)


@pytest.fixture
def orders(shop: Shop, node: Node, product: str) -> list[Bought]:
    """One settled, one whose payment waits for a block, one not paid yet."""
    settled, seen, unpaid = (buy(shop, product) for _ in range(3))
    node.pay(settled.address, settled.amount)
    node.mine()
    wait_until_settled(shop, [settled])
    node.pay(seen.address, seen.amount)
    wait_until(shop, seen, "processing")
    return [settled, seen, unpaid]


def statuses(shop: Shop, orders: list[Bought]) -> list[str]:
    return [invoice_status(shop, each) for each in orders]


def alerts(shop: Shop, kind: str) -> list[str]:
    with closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST)) as rows:
        return [text for (text,) in rows.execute("select text from payments_alert where key like ?", [f"{kind}%"])]


def health(shop: Shop) -> str:
    """What staff are told of the Bitcoin node."""
    time.sleep(5.1)  # as long as a report is kept
    (told,) = [each for each in shop.http.get("/healthz", headers=shop.staff()).json()["details"]["nodes"] if each["network"] == "BTC"]
    return str(told)


def reopen(shop: Shop, **settings: str) -> None:
    shop.stop()
    shop.environment |= settings
    shop.start()


def settle_all(shop: Shop, node: Node, orders: list[Bought]) -> None:
    """What was not paid is paid, and all of it settles."""
    node.pay(orders[-1].address, orders[-1].amount)
    node.mine(2)
    wait_until_settled(shop, orders)


def test_no_order_is_taken_back_while_the_node_verifies_its_chain_again(shop: Shop, node: Node, orders: list[Bought]):
    node.mine(1500)
    seen: set[tuple[str, ...]] = set()
    node.stop()
    node.options = (*node.options, "-reindex")
    node.start()
    node.options = node.options[:-1]

    def is_back() -> bool:
        seen.add(tuple(statuses(shop, orders)))
        chain = node.call("getblockchaininfo")
        return bool(chain["blocks"] == chain["headers"] and chain["blocks"] > 1500)

    wait_for("the chain to be verified", is_back, seconds=120)

    assert {states[0] for states in seen} == {"settled"}
    assert {states[-1] for states in seen} == {"new"}
    settle_all(shop, node, orders)


def test_another_wallet_takes_no_payment_away(shop: Shop, node: Node, orders: list[Bought]):
    old = node.settings()
    other = f"other-{node.merchant}"
    node.call("createwallet", wallet_name=other, load_on_startup=True)
    merchant, node.merchant = node.merchant, other
    reopen(shop, BITCOIN_WALLET=f"rotated-{node.watching}", BITCOIN_DESCRIPTOR=node.descriptor())
    node.merchant = merchant
    wait_for_a_turn(shop)

    assert statuses(shop, orders) == UNCHANGED
    (text,) = wait_for("staff to be told", lambda: alerts(shop, "wallet-replaced"))
    assert "still has that wallet" in text
    assert "which was replaced by" in health(shop)
    assert manage(shop, "reconcile")[0] == 1
    settle_all(shop, node, orders)
    reopen(shop, **old)
    wait_for_a_turn(shop)
    assert statuses(shop, orders) == ["settled"] * 3


def test_a_wallet_created_again_finds_what_was_paid_meanwhile(shop: Shop, node: Node, orders: list[Bought], product: str):
    shop.stop()
    node.call("unloadwallet", node.watching)
    (wallet,) = (path for path in node.folder.rglob(node.watching) if path.is_dir())
    shutil.rmtree(wallet)
    node.pay(orders[-1].address, orders[-1].amount)
    node.mine(30)
    shop.start()

    wait_until_settled(shop, orders)

    assert manage(shop, "reconcile")[0] == 0
    assert buy(shop, product).address not in {each.address for each in orders}


def test_another_chain_is_not_believed(shop: Shop, node: Node, orders: list[Bought], tmp_path: Path):
    old = node.settings()
    for other in open_node(Node(tmp_path / "another")):
        reopen(shop, BITCOIN_RPC_PORT=str(other.port))
        wait_for("staff to be told", lambda: alerts(shop, "another-chain"))

        assert statuses(shop, orders) == UNCHANGED
        assert "another chain" in health(shop)
        assert manage(shop, "reconcile")[0] == 1
        reopen(shop, **old)
    settle_all(shop, node, orders)


@pytest.mark.parametrize(("seconds", "says"), [(THREE_HOURS, "ahead of"), (-THREE_HOURS, "behind")])
def test_a_clock_that_is_three_hours_off_makes_no_buyer_late_and_is_reported(shop: Shop, node: Node, product: str, seconds: int, says: str):
    bought = buy(shop, product)
    wait_for_a_turn(shop)
    node.call("setmocktime", int(time.time()) + seconds)

    def is_reported() -> bool:
        node.call("setmocktime", int(time.time()) + seconds)  # it stands still otherwise
        return bool(re.search(rf"(179|180|181) minutes {says}", health(shop)))

    try:
        node.pay(bought.address, bought.amount)
        wait_until(shop, bought, "processing")
        wait_for("the clock to be reported", is_reported)
    finally:
        node.call("setmocktime", 0)
    node.mine()
    wait_until_settled(shop, [bought])
    assert standing(shop, bought) == ("settled", [])


def test_a_coinbase_to_an_invoice_is_counted_once_it_is_mature(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    node.call("generatetoaddress", 1, bought.address)
    for _ in range(4):
        node.mine(25)
        wait_for_a_turn(shop)
    node.mine()

    wait_for("it to settle", lambda: invoice_status(shop, bought) == "settled")


def test_a_payment_whose_parent_was_replaced_is_gone_and_flagged(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    coin = take_coin(node)
    between = node.call("getnewaddress", wallet=node.buyers)
    parent = coin.pay({between: "1"})
    (vout,) = (out["n"] for out in node.call("decoderawtransaction", raw_of(node, parent))["vout"] if out["value"] == 1)
    home = node.call("getnewaddress", wallet=node.buyers)
    rest = str(Decimal("0.9999") - Decimal(bought.amount))
    raw = node.call("createrawtransaction", [{"txid": parent, "vout": vout}], {bought.address: bought.amount, home: rest})
    node.call("sendrawtransaction", node.call("signrawtransactionwithwallet", raw, wallet=node.buyers)["hex"], 0)
    wait_until(shop, bought, "processing")

    coin.spends = 40  # with a fee that also pays for the child
    node.call("sendrawtransaction", coin.sign({node.call("getnewaddress", wallet=node.buyers): "1"}), 0)

    wait_until(shop, bought, "new", "double_spent")


def raw_of(node: Node, txid: str) -> str:
    return str(node.call("gettransaction", txid, wallet=node.buyers)["hex"])
