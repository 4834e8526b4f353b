"""The worker is killed again and again while buyers pay."""

import os
import random
import signal
import time

from tests.running import Shop, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import buy, confirmations_mailed, read_order, stock_of, stock_product, wait_until_settled

KILLS = int(os.environ.get("STACK_KILLS", "8"))
ORDERS = 50


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
