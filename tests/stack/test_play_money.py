"""The sandbox first, then a node on the same data: as README shows it to a new merchant. No play money becomes real."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.running import LONGEST, Shop, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import Bought, buy, read_order, standing, stock_of, stock_product, wait_until
from tests.stack.conftest import shop_on
from tests.stack.senders import fill_purse


@pytest.fixture
def shop(node: Node, tmp_path: Path) -> Iterator[Shop]:
    """In the sandbox, as `make run` without a node."""
    shop = shop_on(node, tmp_path, {"BITCOIN_PAYOUT_WALLET": fill_purse(node, "purse-play", coins=2), "SANDBOX": "true"})
    shop.environment["BITCOIN_RPC_HOST"] = ""
    shop.start()
    yield shop
    shop.stop()


def take_real_money(shop: Shop, node: Node) -> str:
    """Start again with the node. What the start says."""
    shop.stop()
    before = len(shop.log.read_bytes())
    shop.environment["BITCOIN_RPC_HOST"] = node.settings()["BITCOIN_RPC_HOST"]
    shop.start()
    return shop.said(before)


def overpay(shop: Shop, bought: Bought) -> None:
    answer = shop.http.post("/api/sandbox/pay", json={"invoiceId": bought.invoice, "play": "over"})
    assert answer.status_code == 202, answer.text
    wait_until(shop, bought, "settled", "overpaid")


def refund_link(shop: Shop) -> str:
    def look() -> str:
        texts = "".join(file.read_text() for file in (shop.data / "mail").glob("*.eml")).replace("=\n", "")
        found = re.search(r"/refund/[^\s\"<>]+", texts)
        return found[0] if found else ""

    return wait_for("the mail with the refund link", look)


def test_play_money_is_neither_refunded_nor_shipped_once_a_node_is_configured(shop: Shop, node: Node):
    product = stock_product(shop, stock=5)
    overpaid, unpaid = buy(shop, product), buy(shop, product)
    overpay(shop, overpaid)
    link = refund_link(shop)
    assert 'name="destination"' in httpx.get(shop.url + link, follow_redirects=True, timeout=LONGEST).text

    said = take_real_money(shop, node)

    assert "2 invoices of the sandbox were closed" in said
    assert standing(shop, overpaid) == ("invalid", ["manual"])
    assert standing(shop, unpaid) == ("invalid", ["manual"])
    for bought in (overpaid, unpaid):
        assert (read_order(shop, bought)["status"], read_order(shop, bought)["paymentStatus"]) == ("cancelled", "unpaid")
    wait_for("the stock to be on sale again", lambda: stock_of(shop, product) == 5)
    assert 'name="destination"' not in httpx.get(shop.url + link, follow_redirects=True, timeout=LONGEST).text
    body = {
        "invoiceId": overpaid.invoice,
        "kind": "excess",
        "cryptocurrency": "BTC",
        "destination": node.call("getnewaddress", wallet=node.buyers),
    }
    assert shop.http.post("/api/payouts", headers=shop.staff(), json=body).status_code in (400, 409)
    shipped = shop.http.put(f"/api/orders/{overpaid.id}/status", headers=shop.staff(), json={"status": "shipped"})
    assert shipped.status_code == 409, shipped.text
    real = buy(shop, product)
    node.pay(real.address, real.amount)
    node.mine()
    wait_until(shop, real, "settled")
