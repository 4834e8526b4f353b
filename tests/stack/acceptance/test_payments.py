"""What may happen to a payment, and to those who watch it, each case once, on a real bitcoind and two real lnds."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.running import LONGEST, PATIENCE, ROOT, Shop, wait_for
from tests.stack.acceptance.watching import rows, wait_for_a_turn, wait_for_money
from tests.stack.bitcoind import Node
from tests.stack.buying import (
    buy,
    buy_with_lightning,
    confirmations_mailed,
    invoice_of,
    order,
    paid_in_dollars,
    read_order,
    settled_events,
    standing,
    stock_of,
    stock_product,
    subjects_mailed,
    wait_until,
    wait_until_settled,
)
from tests.stack.chain import coins, mine_ahead, mine_without, take_back, take_coin
from tests.stack.conftest import open_shop
from tests.stack.lightning import LightningPair

# 20.00 at 65,000.00 for a bitcoin: 30,769.2… satoshis. What is missing may be 546 satoshis, because so little cannot be sent.
DUE, ENOUGH, MOST = 30_770, 30_224, 31_315
SECOND = timedelta(seconds=1)
UNSETTLED = "select 1 from payments_invoice where needs_settling limit 1"
"""Facts are stored, and their verdict is not."""


# --- Amounts ----------------------------------------------------------------------------------------------------------------


def test_a_payment_of_the_exact_amount_settles_the_invoice(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    assert bought.amount == coins(DUE)

    node.pay(bought.address, bought.amount)
    wait_until(shop, bought, "processing")
    node.mine()

    wait_until(shop, bought, "settled")
    assert read_order(shop, bought)["paymentStatus"] == "paid"


@pytest.mark.parametrize(
    ("sat", "status", "flags"),
    [(ENOUGH - 1, "new", []), (ENOUGH, "settled", []), (MOST, "settled", []), (MOST + 1, "settled", ["overpaid"])],
    ids=["1 sat under the tolerance", "just enough", "just not too much", "1 sat over"],
)
def test_one_satoshi_decides_whether_an_invoice_is_underpaid_or_overpaid(
    shop: Shop, node: Node, product: str, sat: int, status: str, flags: list[str]
):
    bought = buy(shop, product)

    node.pay(bought.address, coins(sat))
    node.mine()

    wait_for_money(shop, bought)
    wait_until(shop, bought, status, *flags)


def test_the_amounts_of_two_transactions_add_up(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)

    node.pay(bought.address, coins(DUE // 3))
    wait_for_money(shop, bought)
    assert standing(shop, bought) == ("new", [])
    node.pay(bought.address, coins(DUE - DUE // 3))
    node.mine()

    wait_until(shop, bought, "settled")


def test_one_transaction_can_pay_two_invoices(shop: Shop, node: Node, product: str):
    first, second = buy(shop, product), buy(shop, product)
    coin = take_coin(node)

    coin.pay({first.address: first.amount, second.address: coins(DUE // 2)})
    again = take_coin(node)
    again.pay({second.address: coins(DUE - DUE // 2)})
    node.mine()

    wait_until(shop, first, "settled")
    wait_until(shop, second, "settled")


def test_paying_on_the_chain_and_over_lightning_overpays_the_invoice(shop: Shop, node: Node, pair: LightningPair, product: str):
    bought, payment = buy_with_lightning(shop, product)

    node.pay(bought.address, coins(DUE // 2))
    assert pair.payer.pay(payment["lightning"])["status"] == "SUCCEEDED"
    node.mine()

    wait_until(shop, bought, "settled", "overpaid")
    assert paid_in_dollars(shop, bought) == Decimal("30.00")


# --- Replaced and spent twice -------------------------------------------------------------------------------------------------


def test_a_replacement_transaction_to_the_same_address_counts_once(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    coin = take_coin(node)

    coin.pay({bought.address: bought.amount})
    wait_until(shop, bought, "processing")
    replacement = coin.pay({bought.address: bought.amount})
    wait_for_a_turn(shop)
    node.mine()

    wait_until(shop, bought, "settled")
    assert read_order(shop, bought)["transactionHash"] == replacement
    assert paid_in_dollars(shop, bought) == Decimal("20.00")


def test_a_replacement_transaction_to_another_address_cancels_the_payment(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    coin = take_coin(node)

    coin.pay({bought.address: bought.amount})
    wait_until(shop, bought, "processing")
    coin.pay({node.call("getnewaddress", wallet=node.buyers): bought.amount})
    node.mine()

    wait_until(shop, bought, "new", "double_spent")
    assert paid_in_dollars(shop, bought) == 0
    node.pay(bought.address, bought.amount)
    node.mine()
    wait_until(shop, bought, "settled")


def test_a_double_spend_in_a_block_cancels_a_payment_that_was_seen(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    coin = take_coin(node)

    coin.pay({bought.address: bought.amount})
    wait_until(shop, bought, "processing")
    mine_without(node, 1, coin.sign({node.call("getnewaddress", wallet=node.buyers): "0.1"}))

    wait_until(shop, bought, "new", "double_spent")


# --- Blocks that are taken back -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "price"), [(1, "200.00"), (3, "1500.00")])
def test_a_reorg_before_settlement_delays_the_settlement(shop: Shop, node: Node, depth: int, price: str):
    bought = buy(shop, stock_product(shop, stock=1, price=price))

    node.pay(bought.address, bought.amount)
    node.mine(depth)
    wait_for("the confirmations", lambda: invoice_of(shop, bought)["confirmations"] == depth)
    take_back(node, depth)
    mine_without(node, depth + 1)

    wait_for("none of them to be left", lambda: invoice_of(shop, bought)["confirmations"] == 0)
    assert standing(shop, bought) == ("processing", [])
    node.mine(6)
    wait_until(shop, bought, "settled")
    assert settled_events(shop, bought.invoice) == 1


@pytest.mark.parametrize(("depth", "price"), [(1, "20.00"), (3, "200.00")])
def test_a_reorg_after_settlement_holds_the_order_until_it_settles_again(shop: Shop, node: Node, depth: int, price: str):
    product = stock_product(shop, stock=1, price=price)
    bought = buy(shop, product)

    node.pay(bought.address, bought.amount)
    node.mine(depth)
    wait_until(shop, bought, "settled")
    take_back(node, depth)
    mine_without(node, depth + 1)

    wait_until(shop, bought, "processing", "reorged")
    shipped = shop.http.put(f"/api/orders/{bought.id}/status", headers=shop.staff(), json={"status": "shipped"})
    assert shipped.status_code == 409, shipped.text
    node.mine(2)
    wait_until(shop, bought, "settled")
    assert read_order(shop, bought)["status"] == "processing"
    assert stock_of(shop, product) == 0
    wait_for("a mail before the reorg and one after it", lambda: confirmations_mailed(shop)[bought.number] == 2)
    wait_for("the mail about it", lambda: f"Your payment for order {bought.number} is not confirmed any more" in subjects_mailed(shop))


def test_a_reorg_that_spends_settled_money_elsewhere_holds_the_order(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    coin = take_coin(node)
    coin.pay({bought.address: bought.amount})
    node.mine()
    wait_until(shop, bought, "settled")

    take_back(node, 1)
    mine_without(node, 2, coin.sign({node.call("getnewaddress", wallet=node.buyers): "0.1"}))

    wait_until(shop, bought, "new", "double_spent", "reorged")
    shipped = shop.http.put(f"/api/orders/{bought.id}/status", headers=shop.staff(), json={"status": "shipped"})
    assert shipped.status_code == 409, shipped.text
    wait_for("the mail", lambda: f"Your payment for order {bought.number} was replaced" in subjects_mailed(shop))


def test_no_invoice_is_opened_while_the_node_is_syncing(shop: Shop, node: Node, product: str):
    block = mine_ahead(node)

    refused = order(shop, product)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")

    node.call("submitblock", block)
    assert order(shop, product).status_code == 201


def test_a_changed_node_password_is_logged_and_breaks_no_page(tmp_path: Path):
    node = Node(tmp_path / "bitcoind")
    node.start()
    node.make_wallets()
    for shop in open_shop(node, tmp_path / "shop", {}):
        product = stock_product(shop, stock=1)
        node.stop()
        node.change_password("another")
        node.start()

        refused = order(shop, product)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert shop.http.get("/").status_code == 200
        wait_for(
            "the log to say it",
            lambda shop=shop: "refuses BITCOIN_RPC_USER and BITCOIN_RPC_PASS" in shop.said(),  # type: ignore[misc]
        )
        node.stop()
        node.change_password("regtest-only")
        node.start()
        wait_for(
            "orders to be taken again",
            lambda shop=shop, product=product: order(shop, product).status_code == 201,  # type: ignore[misc]
        )
    node.stop()


def test_the_shop_does_not_start_with_a_wrong_node_password(node: Node, tmp_path: Path):
    with pytest.raises(AssertionError, match="Cryptons cannot start: The Bitcoin node refuses BITCOIN_RPC_USER and BITCOIN_RPC_PASS"):
        next(open_shop(node, tmp_path, {"BITCOIN_RPC_PASS": "wrong"}))


def test_a_node_that_stops_during_checkouts_leaves_no_unfinished_orders(shop: Shop, node: Node, pair: LightningPair):
    product = stock_product(shop, stock=100)
    with ThreadPoolExecutor(8) as buyers:
        asked = [buyers.submit(order, shop, product) for _ in range(60)]
        wait_for("the first orders", lambda: sum(each.done() for each in asked) > 10)
        node.stop()
        answers = [each.result() for each in asked]
    node.start()

    assert {answer.status_code for answer in answers} <= {201, 503}
    placed = sum(answer.status_code == 201 for answer in answers)
    assert placed >= 10
    wait_for("what is left to be read again", lambda: stock_of(shop, product) == 100 - placed)
    wait_for("orders to be taken again", lambda: order(shop, product).status_code == 201, seconds=60)
    pair.wait_until_usable()


def test_killing_a_worker_between_facts_and_verdict_loses_no_payment(shop: Shop, node: Node):
    product = stock_product(shop, stock=100)
    bought = [buy(shop, product) for _ in range(40)]
    for turn in range(4):  # each with payments of its own, for which there are facts once
        for each in bought[10 * turn : 10 * turn + 10]:
            node.pay(each.address, each.amount)
        worker = wait_for("a worker", lambda: shop.child("worker"))
        node.mine()
        deadline = time.monotonic() + 30 * PATIENCE
        while not rows(shop, UNSETTLED) and time.monotonic() < deadline:
            pass  # the time between facts and verdict is short
        os.kill(worker, signal.SIGKILL)
        hit = bool(rows(shop, UNSETTLED))
        wait_for("the supervisor to see it", lambda worker=worker: shop.child("worker") != worker)  # type: ignore[misc]
        if hit:
            break
    for each in bought[10 * turn + 10 :]:
        node.pay(each.address, each.amount)
    node.mine()
    assert hit, "The worker was never killed in between."

    wait_until_settled(shop, bought)
    assert [settled_events(shop, each.invoice) for each in bought] == [1] * 40
    wait_for("what is left to be read again", lambda: stock_of(shop, product) == 60)


def test_a_shop_that_started_in_the_sandbox_follows_its_node(shop: Shop, node: Node, product: str):
    """The sandbox keeps a moment where a node's block is kept."""
    bought = buy(shop, product)
    with shop.without("worker"), closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST)) as database, database:
        database.execute("update payments_cursor set value = '2026-11-24T12:00:00+00:00' where network = 'BTC'")

    node.pay(bought.address, bought.amount)
    node.mine()

    wait_until(shop, bought, "settled")


FOLLOW = """
from django.utils import timezone
from payments.sync.follower import poll
from payments.tasks import queue_settling
for _ in range(60):
    queue_settling(poll("BTC", at=timezone.now()))
"""


def test_two_simultaneous_followers_record_each_payment_once(shop: Shop, node: Node):
    product = stock_product(shop, stock=100)
    bought = [buy(shop, product) for _ in range(20)]
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", FOLLOW]
    followers = [subprocess.Popen(command, cwd=ROOT, env=shop.environment, stderr=subprocess.PIPE) for _ in range(2)]
    for each in bought:
        node.pay(each.address, each.amount)
    node.mine()

    for follower in followers:
        _, said = follower.communicate(timeout=2 * LONGEST)
        assert follower.returncode == 0, said.decode()
    wait_until_settled(shop, bought)
    assert [settled_events(shop, each.invoice) for each in bought] == [1] * 20
    references = [reference for (reference,) in rows(shop, "select reference from payments_payment where network = 'BTC'")]
    assert len(references) == len(set(references))
