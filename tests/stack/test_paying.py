"""A buyer pays on a real chain, and the shop finds out."""

import os
import random
import re
import signal
import time
from decimal import Decimal

from tests.running import Shop, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import (
    buy,
    buy_as_a_guest,
    confirmations_mailed,
    invoice_status,
    let_expire,
    order,
    order_at_once_without_wallet,
    read_order,
    settled_events,
    stock_of,
    stock_product,
    wait_until_settled,
)

KILLS = int(os.environ.get("STACK_KILLS", "8"))
ORDERS = 50


def test_an_order_is_paid_when_its_payment_is_in_a_block(node: Node, shop: Shop):
    product = stock_product(shop, stock=5)
    bought = buy(shop, product)
    assert read_order(shop, bought)["paymentStatus"] == "unpaid"

    txid = node.pay(bought.address, bought.amount)
    wait_for("the payment to be seen", lambda: invoice_status(shop, bought) == "processing")
    node.mine()
    wait_until_settled(shop, [bought])

    paid = read_order(shop, bought)
    assert (paid["status"], paid["paymentStatus"], paid["transactionHash"]) == ("processing", "paid", txid)
    assert stock_of(shop, product) == 4
    wait_for("the mail", lambda: confirmations_mailed(shop)[bought.number] == 1)


def test_a_guest_can_pay_and_see_the_order(node: Node, shop: Shop):
    product = stock_product(shop, stock=5)
    path, browser = buy_as_a_guest(shop, product)
    invoice = shop.get(f"/api/invoices/{path.split('/')[2]}")

    node.pay(invoice["address"], invoice["amount"])
    node.mine()

    wait_for("the pay page to say so", lambda: ">Paid<" in browser.get(path).text)
    link = re.search(r'href="(/orders/[^"]+)"', browser.get(path).text)
    assert link is not None
    assert "Processing" in browser.get(link[1]).text


def test_payments_go_to_the_merchants_wallet_and_the_shop_cannot_spend_them(node: Node, shop: Shop):
    bought = buy(shop, stock_product(shop, stock=1))

    node.look_far_ahead()
    assert node.call("getaddressinfo", bought.address, wallet=node.merchant)["ismine"]
    assert node.call("getwalletinfo", wallet=node.watching)["private_keys_enabled"] is False


def test_twenty_payments_in_one_block_settle_each_invoice_once(node: Node, shop: Shop):
    product = stock_product(shop, stock=100)
    orders = [buy(shop, product) for _ in range(20)]
    assert len({each.address for each in orders}) == 20

    for each in orders:
        node.pay(each.address, each.amount)
    node.mine()
    wait_until_settled(shop, orders)

    assert [read_order(shop, each)["paymentStatus"] for each in orders] == ["paid"] * 20
    assert [settled_events(shop, each.invoice) for each in orders] == [1] * 20
    assert stock_of(shop, product) == 80
    wait_for("a mail for each", lambda: confirmations_mailed(shop).keys() >= {each.number for each in orders})
    mailed = confirmations_mailed(shop)
    assert {mailed[each.number] for each in orders} == {1}


def test_a_stopped_node_breaks_no_page_and_a_payment_meanwhile_is_in_time(node: Node, shop: Shop):
    product = stock_product(shop, stock=5)
    slug = shop.get(f"/api/products/{product}")["slug"]
    bought = buy(shop, product)
    with shop.without("worker"):
        node.pay(bought.address, bought.amount)
        node.mine()
        time.sleep(1.1)  # the node remembers whole seconds
        let_expire(shop, bought.invoice)
        node.stop()

    try:
        for path in ("/", f"/p/{slug}/", "/cart/", f"/pay/{bought.invoice}/", "/healthz", f"/api/products/{product}"):
            assert shop.http.get(path).status_code == 200, path
        refused = order(shop, product)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        wait_for("the invoice to expire", lambda: invoice_status(shop, bought) == "expired")
    finally:
        node.start()
    wait_until_settled(shop, [bought])

    assert "late" not in shop.get(f"/api/invoices/{bought.invoice}")["flags"]
    paid = read_order(shop, bought)
    assert (paid["status"], paid["paymentStatus"]) == ("processing", "paid")
    wait_for("the thing to be held again", lambda: stock_of(shop, product) == 4)  # the web process looks at the catalogue once a second
    wait_for("new orders to be taken again", lambda: order(shop, product).status_code == 201)


def test_an_underpaid_invoice_does_not_settle(node: Node, shop: Shop):
    bought = buy(shop, stock_product(shop, stock=1))

    node.pay(bought.address, str(Decimal(bought.amount) / 2))
    node.mine()

    wait_for("the payment to be seen", lambda: Decimal(shop.get(f"/api/invoices/{bought.invoice}")["paid"]) > 0)
    assert invoice_status(shop, bought) == "new"


def test_simultaneous_orders_succeed_when_the_node_has_not_loaded_the_wallet(shop: Shop, node: Node):
    product = stock_product(shop, stock=1000)
    for _ in range(5):
        order_at_once_without_wallet(shop, node, product)


def test_killing_a_worker_at_any_moment_loses_and_doubles_no_payment(node: Node, shop: Shop):
    product = stock_product(shop, stock=100)
    orders = [buy(shop, product) for _ in range(ORDERS)]
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")

    unpaid = list(orders)
    killed = 0
    for turn in range(KILLS):
        worker = wait_for("a worker", lambda: shop.child("worker"))
        for each in unpaid[turn * ORDERS // KILLS : (turn + 1) * ORDERS // KILLS]:
            node.pay(each.address, each.amount)
        node.mine()
        time.sleep(chance.uniform(0, 5))
        os.kill(worker, signal.SIGKILL)
        killed += 1
        wait_for("the supervisor to see it", lambda worker=worker: shop.child("worker") != worker)
    assert killed == KILLS
    wait_until_settled(shop, orders, seconds=120)

    assert [read_order(shop, each)["paymentStatus"] for each in orders] == ["paid"] * ORDERS
    assert [read_order(shop, each)["status"] for each in orders] == ["processing"] * ORDERS
    assert stock_of(shop, product) == 100 - ORDERS
    wait_for("a mail for each", lambda: confirmations_mailed(shop).keys() >= {each.number for each in orders}, seconds=180)
    mailed = confirmations_mailed(shop)
    assert {mailed[each.number] for each in orders} == {1}
