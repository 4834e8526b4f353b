"""Everything that may happen to a payment, each case once, on a real bitcoind and two real lnds: the list that the shop is trusted by."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.running import ROOT, Shop, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import (
    Bought,
    buy,
    confirmations_mailed,
    invoice_of,
    let_expire,
    order,
    paid_in_dollars,
    read_order,
    settled_events,
    standing,
    stock_of,
    stock_product,
    wait_until,
    wait_until_settled,
)
from tests.stack.chain import coins, mine_ahead, mine_without, take_back, take_coin
from tests.stack.conftest import open_node, open_shop
from tests.stack.lightning import CliError, LightningPair

# 20.00 at 65,000.00 for a bitcoin: 30,769.2… satoshis, and ten cents may be missing.
DUE, ENOUGH, MOST = 30_770, 30_616, 31_315
SECOND = timedelta(seconds=1)


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


@pytest.fixture(scope="module")
def dear_product(shop: Shop) -> str:
    """Needs two confirmations."""
    return stock_product(shop, stock=100, price="200.00")


def wait_for_money(shop: Shop, bought: Bought) -> None:
    wait_for("the money to be seen", lambda: paid_in_dollars(shop, bought))


def wait_for_a_turn(shop: Shop) -> None:
    """Until the follower has asked the node once more from now on."""
    began = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"
    wait_for(
        "the follower's next turn", lambda: rows(shop, "select 1 from payments_cursor where network = 'BTC' and answered_at > ?", began)
    )


def rows(shop: Shop, question: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=20)) as database:
        return database.execute(question, values).fetchall()


# --- Amounts ----------------------------------------------------------------------------------------------------------------


def test_the_exact_amount_settles(shop: Shop, node: Node, product: str):
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
def test_one_satoshi_decides(shop: Shop, node: Node, product: str, sat: int, status: str, flags: list[str]):
    bought = buy(shop, product)

    node.pay(bought.address, coins(sat))
    node.mine()

    wait_for_money(shop, bought)
    wait_until(shop, bought, status, *flags)


def test_two_transactions_add_up(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)

    node.pay(bought.address, coins(DUE // 3))
    wait_for_money(shop, bought)
    assert standing(shop, bought) == ("new", [])
    node.pay(bought.address, coins(DUE - DUE // 3))
    node.mine()

    wait_until(shop, bought, "settled")


def test_one_transaction_pays_two_invoices_and_another_the_rest_of_one(shop: Shop, node: Node, product: str):
    first, second = buy(shop, product), buy(shop, product)
    coin = take_coin(node)

    coin.pay({first.address: first.amount, second.address: coins(DUE // 2)})
    again = take_coin(node)
    again.pay({second.address: coins(DUE - DUE // 2)})
    node.mine()

    wait_until(shop, first, "settled")
    wait_until(shop, second, "settled")


def test_chain_and_lightning_together_are_too_much(shop: Shop, node: Node, pair: LightningPair, product: str):
    bought = buy(shop, product)
    request = shop.get(f"/api/orders/{bought.id}/payment", headers=shop.buyer())["lightning"]

    node.pay(bought.address, coins(DUE // 2))
    assert pair.payer.pay(request)["status"] == "SUCCEEDED"
    node.mine()

    wait_until(shop, bought, "settled", "overpaid")
    assert paid_in_dollars(shop, bought) == Decimal("30.00")


# --- Replaced and spent twice -------------------------------------------------------------------------------------------------


def test_a_replacement_to_the_same_address_counts_once(shop: Shop, node: Node, product: str):
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


def test_a_replacement_to_another_address_takes_the_money_back(shop: Shop, node: Node, product: str):
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


def test_a_double_spend_in_a_block_after_the_payment_was_seen(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    coin = take_coin(node)

    coin.pay({bought.address: bought.amount})
    wait_until(shop, bought, "processing")
    mine_without(node, 1, coin.sign({node.call("getnewaddress", wallet=node.buyers): "0.1"}))

    wait_until(shop, bought, "new", "double_spent")


# --- Blocks that are taken back -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "price"), [(1, "200.00"), (3, "1500.00")])
def test_a_reorg_before_settling_delays_it(shop: Shop, node: Node, depth: int, price: str):
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
def test_a_reorg_after_settling_holds_the_order_until_it_settles_again(shop: Shop, node: Node, depth: int, price: str):
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
    wait_for("the mail", lambda: confirmations_mailed(shop)[bought.number] == 1)


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


# --- Time ---------------------------------------------------------------------------------------------------------------------


def seen_at(node: Node, txid: str) -> datetime:
    return datetime.fromtimestamp(node.call("gettransaction", txid, wallet=node.merchant)["timereceived"], UTC)


def test_a_payment_in_the_second_of_expiry_is_in_time(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    with shop.without("worker"):
        txid = node.pay(bought.address, bought.amount)
        let_expire(shop, bought.invoice, seen_at(node, txid))
        node.mine()

    wait_until(shop, bought, "settled")


def test_a_payment_a_moment_after_expiry_is_late_and_taken_within_the_grace(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    with shop.without("worker"):
        txid = node.pay(bought.address, bought.amount)
        let_expire(shop, bought.invoice, seen_at(node, txid) - SECOND)
        node.mine()

    wait_until(shop, bought, "settled", "late")
    assert read_order(shop, bought)["status"] == "processing"


def test_a_payment_hours_after_expiry_waits_for_a_decision(shop: Shop, node: Node):
    product = stock_product(shop, stock=1)
    bought = buy(shop, product)
    let_expire(shop, bought.invoice, datetime.now(UTC) - timedelta(hours=2))
    wait_until(shop, bought, "expired")

    node.pay(bought.address, bought.amount)
    node.mine()

    wait_until(shop, bought, "expired", "late")
    wait_for("the order to say so", lambda: read_order(shop, bought)["paymentStatus"] == "late")
    wait_for("the thing to be on sale", lambda: stock_of(shop, product) == 1)


def test_too_little_at_expiry_is_partial(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    node.pay(bought.address, coins(DUE // 2))
    node.mine()
    wait_for_money(shop, bought)

    let_expire(shop, bought.invoice)

    wait_until(shop, bought, "expired", "underpaid")
    assert read_order(shop, bought)["paymentStatus"] == "underpaid"


def test_paid_in_time_while_all_workers_were_down(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    with shop.without("worker"):
        node.pay(bought.address, bought.amount)
        node.mine()
        time.sleep(1.1)  # the node remembers whole seconds
        let_expire(shop, bought.invoice)
        time.sleep(1)

    wait_until(shop, bought, "settled")


def test_paid_too_late_while_all_workers_were_down(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    with shop.without("worker"):
        let_expire(shop, bought.invoice, datetime.now(UTC) - timedelta(hours=2))
        node.pay(bought.address, bought.amount)
        node.mine()

    wait_until(shop, bought, "expired", "late")


def test_a_coin_that_the_merchant_spent_while_all_workers_were_down(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    with shop.without("worker"):
        txid = node.pay(bought.address, bought.amount)
        node.mine()
        (received,) = [each for each in node.call("listunspent", 1, wallet=node.merchant) if each["txid"] == txid]
        raw = node.call(
            "createrawtransaction",
            [{"txid": txid, "vout": received["vout"]}],
            {node.call("getnewaddress", wallet=node.buyers): str(received["amount"] - Decimal("0.00001"))},
        )
        node.call("sendrawtransaction", node.call("signrawtransactionwithwallet", raw, wallet=node.merchant)["hex"])
        node.mine()

    wait_until(shop, bought, "settled")


# --- Cancelled ----------------------------------------------------------------------------------------------------------------


def test_money_for_an_order_that_its_buyer_cancelled_is_recorded_and_shown(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    assert shop.http.post(f"/api/orders/{bought.id}/cancel", headers=shop.buyer(), json={}).status_code == 200

    node.pay(bought.address, bought.amount)
    node.mine()

    wait_until(shop, bought, "cancelled", "late")
    wait_for("the order to say so", lambda: read_order(shop, bought)["paymentStatus"] == "late")
    assert read_order(shop, bought)["status"] == "cancelled"
    assert rows(shop, "select needs_decision from payments_invoice where label = ?", f"order_{bought.number}") == [(1,)]


# --- Fresh quotes -------------------------------------------------------------------------------------------------------------


def requote(shop: Shop, bought: Bought) -> dict[str, Any]:
    """The new way to pay."""
    answer = shop.http.post(f"/api/orders/{bought.id}/payment", headers=shop.buyer(), json={"cryptocurrency": "BTC"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


def request_of(shop: Shop, bought: Bought) -> str:
    return str(shop.get(f"/api/orders/{bought.id}/payment", headers=shop.buyer())["lightning"])


def lnd_state(pair: LightningPair, request: str) -> str:
    payment_hash = pair.shop.cli("decodepayreq", request)["payment_hash"]
    return str(pair.shop.cli("lookupinvoice", payment_hash)["state"])


def test_late_money_is_taken_when_its_buyer_says_so(shop: Shop, node: Node):
    product = stock_product(shop, stock=1)
    bought = buy(shop, product)
    let_expire(shop, bought.invoice, datetime.now(UTC) - timedelta(hours=2))
    wait_until(shop, bought, "expired")
    node.pay(bought.address, bought.amount)
    node.mine()
    wait_until(shop, bought, "expired", "late")

    assert requote(shop, bought)["status"] == "settled"

    assert read_order(shop, bought)["paymentStatus"] == "paid"
    assert stock_of(shop, product) == 0


def test_a_rest_is_paid_to_an_address_of_its_own(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    node.pay(bought.address, coins(DUE // 2))
    node.mine()
    wait_for_money(shop, bought)
    let_expire(shop, bought.invoice)
    wait_until(shop, bought, "expired", "underpaid")

    rest = requote(shop, bought)
    assert rest["address"] != bought.address
    assert rest["amount"] == "0.00015385"
    node.pay(rest["address"], rest["amount"])
    node.mine()

    wait_until(shop, bought, "settled")


def test_the_address_of_the_quote_before_is_still_paid(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    assert requote(shop, bought)["address"] != bought.address
    node.pay(bought.address, bought.amount)
    node.mine()
    wait_until(shop, bought, "settled")


def test_one_transaction_pays_both_addresses_of_an_invoice(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    fresh = requote(shop, bought)["address"]

    take_coin(node).pay({bought.address: coins(DUE // 2), fresh: coins(DUE - DUE // 2)})
    node.mine()

    wait_until(shop, bought, "settled")


def test_a_part_on_the_chain_and_the_rest_over_lightning_add_up(shop: Shop, node: Node, pair: LightningPair, product: str):
    bought = buy(shop, product)
    node.pay(bought.address, coins(DUE // 2))
    node.mine()
    wait_for_money(shop, bought)

    assert pair.payer.pay(requote(shop, bought)["lightning"])["status"] == "SUCCEEDED"

    wait_until(shop, bought, "settled")
    assert read_order(shop, bought)["paymentStatus"] == "paid"


def test_the_lightning_code_before_is_still_paid_and_the_fresh_one_is_then_refused(shop: Shop, pair: LightningPair, product: str):
    bought = buy(shop, product)
    scanned = request_of(shop, bought)
    fresh = requote(shop, bought)["lightning"]
    time.sleep(3)  # a round has looked at both
    assert {lnd_state(pair, scanned), lnd_state(pair, fresh)} == {"OPEN"}

    assert pair.payer.pay(scanned)["status"] == "SUCCEEDED"

    wait_until(shop, bought, "settled")
    wait_for("LND to cancel the other", lambda: lnd_state(pair, fresh) == "CANCELED")


def test_a_lightning_code_whose_quote_has_ended_is_refused_while_the_fresh_one_waits(shop: Shop, pair: LightningPair, product: str):
    bought = buy(shop, product)
    ended = request_of(shop, bought)
    let_expire(shop, bought.invoice)
    wait_until(shop, bought, "expired")
    fresh = requote(shop, bought)["lightning"]

    wait_for("LND to cancel the old one", lambda: lnd_state(pair, ended) == "CANCELED")
    time.sleep(3)
    assert lnd_state(pair, fresh) == "OPEN"
    assert pair.payer.pay(fresh)["status"] == "SUCCEEDED"
    wait_until(shop, bought, "settled")


# --- Nodes and workers in trouble ---------------------------------------------------------------------------------------------


def test_an_lnd_that_restarts_in_flight_loses_nothing(shop: Shop, pair: LightningPair, product: str):
    bought = buy(shop, product)
    request = shop.get(f"/api/orders/{bought.id}/payment", headers=shop.buyer())["lightning"]
    assert request
    told: dict[str, Any] = {}

    def pay() -> None:
        try:
            told.update(pair.payer.pay(request))
        except CliError as error:
            told["status"] = str(error)

    payer = threading.Thread(target=pay)
    payer.start()
    time.sleep(0.05)
    pair.shop.kill()
    pair.shop.start()
    pair.connect()
    pair.wait_until_usable()
    payer.join(60)

    if told["status"] == "SUCCEEDED":
        wait_until(shop, bought, "settled")
    else:
        assert standing(shop, bought) == ("new", [])
        assert pair.payer.pay(request)["status"] == "SUCCEEDED"
        wait_until(shop, bought, "settled")
    assert settled_events(shop, bought.invoice) == 1


def test_a_node_that_is_still_syncing_opens_no_invoice(shop: Shop, node: Node, product: str):
    block = mine_ahead(node)

    refused = order(shop, product)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")

    node.call("submitblock", block)
    assert order(shop, product).status_code == 201


def test_a_wrong_password_is_said_and_breaks_no_page(tmp_path: Path):
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
        wait_for("the log to say it", lambda shop=shop: "refuses BITCOIN_RPC_USER and BITCOIN_RPC_PASS" in shop.said())  # type: ignore[misc]
        node.stop()
        node.change_password("regtest-only")
        node.start()
        wait_for("orders to be taken again", lambda shop=shop, product=product: order(shop, product).status_code == 201)  # type: ignore[misc]
    node.stop()


def test_a_shop_does_not_start_with_a_wrong_password(node: Node, tmp_path: Path):
    with pytest.raises(AssertionError, match="Cryptons cannot start: The Bitcoin node refuses BITCOIN_RPC_USER and BITCOIN_RPC_PASS"):
        next(open_shop(node, tmp_path, {"BITCOIN_RPC_PASS": "wrong"}))


def test_a_node_that_stops_during_checkout_leaves_nothing_half(shop: Shop, node: Node, pair: LightningPair):
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
    wait_for("what is left to be read anew", lambda: stock_of(shop, product) == 100 - placed)
    wait_for("orders to be taken again", lambda: order(shop, product).status_code == 201, seconds=60)
    pair.wait_until_usable()


def test_a_worker_that_is_killed_between_facts_and_verdict_loses_nothing(shop: Shop, node: Node):
    product = stock_product(shop, stock=100)
    bought = [buy(shop, product) for _ in range(40)]
    hit = 0
    for each in bought:
        node.pay(each.address, each.amount)
    for _ in range(4):
        worker = wait_for("a worker", lambda: shop.child("worker"))
        node.mine()
        wait_for("facts without a verdict", lambda: rows(shop, "select 1 from payments_invoice where needs_settling limit 1"), seconds=30)
        os.kill(worker, signal.SIGKILL)
        hit += bool(rows(shop, "select 1 from payments_invoice where needs_settling limit 1"))
        wait_for("the supervisor to see it", lambda worker=worker: shop.child("worker") != worker)  # type: ignore[misc]
        if hit:
            break
    assert hit, "The worker was never killed in between."

    wait_until_settled(shop, bought)
    assert [settled_events(shop, each.invoice) for each in bought] == [1] * 40
    wait_for("what is left to be read anew", lambda: stock_of(shop, product) == 60)


def test_a_shop_that_was_tried_in_the_sandbox_first_follows_its_node(shop: Shop, node: Node, product: str):
    """The sandbox keeps a moment where a node's block is kept."""
    bought = buy(shop, product)
    with shop.without("worker"), closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=20)) as database, database:
        database.execute("update payments_cursor set value = '2026-11-24T12:00:00+00:00' where network = 'BTC'")

    node.pay(bought.address, bought.amount)
    node.mine()

    wait_until(shop, bought, "settled")


FOLLOW = """
from django.utils import timezone
from payments.sync.follower import follow
from payments.tasks import queue_settling
for _ in range(60):
    queue_settling(follow("BTC", at=timezone.now()))
"""


def test_two_followers_at_once_book_everything_once(shop: Shop, node: Node):
    product = stock_product(shop, stock=100)
    bought = [buy(shop, product) for _ in range(20)]
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", FOLLOW]
    followers = [subprocess.Popen(command, cwd=ROOT, env=shop.environment, stderr=subprocess.PIPE) for _ in range(2)]
    for each in bought:
        node.pay(each.address, each.amount)
    node.mine()

    for follower in followers:
        _, said = follower.communicate(timeout=120)
        assert follower.returncode == 0, said.decode()
    wait_until_settled(shop, bought)
    assert [settled_events(shop, each.invoice) for each in bought] == [1] * 20
    references = [reference for (reference,) in rows(shop, "select reference from payments_payment where network = 'BTC'")]
    assert len(references) == len(set(references))
