"""Money that comes early, late or for another quote, each case once, on a real bitcoind and two real lnds."""

import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.running import LONGEST, Shop, wait_for
from tests.stack.acceptance.watching import rows, wait_for_money
from tests.stack.bitcoind import Node
from tests.stack.buying import (
    Bought,
    buy,
    buy_with_lightning,
    let_expire,
    let_hold_end,
    read_order,
    settled_events,
    standing,
    stock_of,
    stock_product,
    wait_until,
)
from tests.stack.chain import coins, take_coin
from tests.stack.lightning import CliError, LightningPair

# 20.00 at 65,000.00 for a bitcoin: 30,769.2… satoshis. What is missing may be 546 satoshis, because so little cannot be sent.
DUE, ENOUGH, MOST = 30_770, 30_224, 31_315
SECOND = timedelta(seconds=1)


# --- Time ---------------------------------------------------------------------------------------------------------------------


def seen_at(node: Node, txid: str) -> datetime:
    """When the shop's wallet heard of it; another wallet may do so in the next second."""
    return datetime.fromtimestamp(node.call("gettransaction", txid, wallet=node.watching)["timereceived"], UTC)


def test_a_payment_in_the_same_second_as_the_expiry_is_in_time(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    with shop.without("worker"):
        txid = node.pay(bought.address, bought.amount)
        let_expire(shop, bought.invoice, seen_at(node, txid))
        node.mine()

    wait_until(shop, bought, "settled")


def test_a_payment_just_after_expiry_is_late_and_accepted_within_the_grace_period(shop: Shop, node: Node, product: str):
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


def test_an_unconfirmed_payment_holds_price_and_stock_only_for_a_while(shop: Shop, node: Node):
    """At 1 sat/vB. When it confirms, the rate has not moved and the goods are there: its buyer pays no more."""
    product = stock_product(shop, stock=1)
    bought = buy(shop, product)
    node.pay_slowly(bought.address, bought.amount)
    wait_until(shop, bought, "processing")

    let_hold_end(shop, bought.invoice)

    wait_until(shop, bought, "expired", "slow")
    wait_for("the thing to be on sale", lambda: stock_of(shop, product) == 1)
    node.mine()
    wait_until(shop, bought, "settled", "late", "slow")
    wait_for("the thing to be held again", lambda: stock_of(shop, product) == 0)
    assert read_order(shop, bought)["status"] == "processing"


def test_an_unconfirmed_payment_that_is_taken_back_after_its_hold_gains_nothing(shop: Shop, node: Node):
    product = stock_product(shop, stock=1)
    bought = buy(shop, product)
    txid = node.pay_slowly(bought.address, bought.amount)
    wait_until(shop, bought, "processing")
    let_hold_end(shop, bought.invoice)
    wait_until(shop, bought, "expired", "slow")
    other = buy(shop, product)

    node.call(
        "bumpfee", txid, {"fee_rate": 50, "outputs": [{node.call("getnewaddress", wallet=node.buyers): bought.amount}]}, wallet=node.buyers
    )
    node.pay(other.address, other.amount)
    node.mine()

    wait_until(shop, other, "settled")
    wait_until(shop, bought, "expired", "double_spent")
    assert stock_of(shop, product) == 0


def test_an_invoice_with_too_little_at_expiry_is_underpaid(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    node.pay(bought.address, coins(DUE // 2))
    node.mine()
    wait_for_money(shop, bought)

    let_expire(shop, bought.invoice)

    wait_until(shop, bought, "expired", "underpaid")
    assert read_order(shop, bought)["paymentStatus"] == "underpaid"


def test_a_payment_in_time_settles_although_all_workers_were_down(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    with shop.without("worker"):
        node.pay(bought.address, bought.amount)
        node.mine()
        time.sleep(1.1)  # the node remembers whole seconds
        let_expire(shop, bought.invoice)
        time.sleep(1)

    wait_until(shop, bought, "settled")


def test_a_payment_hours_after_expiry_is_late_although_all_workers_were_down(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    with shop.without("worker"):
        let_expire(shop, bought.invoice, datetime.now(UTC) - timedelta(hours=2))
        node.pay(bought.address, bought.amount)
        node.mine()

    wait_until(shop, bought, "expired", "late")


def test_a_payment_that_the_merchant_spent_while_workers_were_down_settles(shop: Shop, node: Node, product: str):
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


def test_a_payment_for_a_cancelled_order_is_recorded_as_late(shop: Shop, node: Node, product: str):
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


def requote_with_lightning(shop: Shop, bought: Bought) -> str:
    """The Lightning invoice of a new quote. The first may have none: quotes wait only a moment for LND, which may be busy."""
    return str(wait_for("Lightning to be offered", lambda: requote(shop, bought)["lightning"]))


def lnd_state(pair: LightningPair, request: str) -> str:
    payment_hash = pair.shop.cli("decodepayreq", request)["payment_hash"]
    return str(pair.shop.cli("lookupinvoice", payment_hash)["state"])


def test_late_money_pays_the_order_when_the_buyer_asks_for_a_new_quote(shop: Shop, node: Node):
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


def test_the_rest_of_an_underpaid_order_is_paid_to_a_new_address(shop: Shop, node: Node, product: str):
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


def test_a_payment_to_the_address_of_the_previous_quote_settles_the_invoice(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    assert requote(shop, bought)["address"] != bought.address
    node.pay(bought.address, bought.amount)
    node.mine()
    wait_until(shop, bought, "settled")


def test_one_transaction_can_pay_both_addresses_of_an_invoice(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    fresh = requote(shop, bought)["address"]

    take_coin(node).pay({bought.address: coins(DUE // 2), fresh: coins(DUE - DUE // 2)})
    node.mine()

    wait_until(shop, bought, "settled")


def test_a_payment_on_the_chain_and_the_rest_over_lightning_add_up(shop: Shop, node: Node, pair: LightningPair, product: str):
    bought = buy(shop, product)
    node.pay(bought.address, coins(DUE // 2))
    node.mine()
    wait_for_money(shop, bought)

    assert pair.payer.pay(requote_with_lightning(shop, bought))["status"] == "SUCCEEDED"

    wait_until(shop, bought, "settled")
    assert read_order(shop, bought)["paymentStatus"] == "paid"


def test_paying_the_previous_lightning_invoice_cancels_the_new_one(shop: Shop, pair: LightningPair, product: str):
    bought, payment = buy_with_lightning(shop, product)
    scanned = payment["lightning"]
    fresh = requote_with_lightning(shop, bought)
    time.sleep(3)  # a round has looked at both
    assert {lnd_state(pair, scanned), lnd_state(pair, fresh)} == {"OPEN"}

    assert pair.payer.pay(scanned)["status"] == "SUCCEEDED"

    wait_until(shop, bought, "settled")
    wait_for("LND to cancel the other", lambda: lnd_state(pair, fresh) == "CANCELED")


def test_an_expired_lightning_invoice_is_cancelled_and_the_new_one_stays_open(shop: Shop, pair: LightningPair, product: str):
    bought, payment = buy_with_lightning(shop, product)
    ended = payment["lightning"]
    let_expire(shop, bought.invoice)
    wait_until(shop, bought, "expired")
    fresh = requote_with_lightning(shop, bought)

    wait_for("LND to cancel the old one", lambda: lnd_state(pair, ended) == "CANCELED")
    time.sleep(3)
    assert lnd_state(pair, fresh) == "OPEN"
    assert pair.payer.pay(fresh)["status"] == "SUCCEEDED"
    wait_until(shop, bought, "settled")


# --- Nodes and workers in trouble ---------------------------------------------------------------------------------------------


def test_restarting_lnd_during_a_payment_loses_no_money(shop: Shop, pair: LightningPair, product: str):
    bought, payment = buy_with_lightning(shop, product)
    told: dict[str, Any] = {}

    def pay() -> None:
        try:
            told.update(pair.payer.pay(payment["lightning"]))
        except CliError as error:
            told["status"] = str(error)

    payer = threading.Thread(target=pay)
    payer.start()
    time.sleep(0.05)
    pair.shop.kill()
    pair.shop.start()
    pair.connect()
    pair.wait_until_usable()
    payer.join(LONGEST)

    if told["status"] == "SUCCEEDED":
        wait_until(shop, bought, "settled")
    else:
        assert standing(shop, bought) == ("new", [])
        assert pair.payer.pay(payment["lightning"])["status"] == "SUCCEEDED"
        wait_until(shop, bought, "settled")
    assert settled_events(shop, bought.invoice) == 1
