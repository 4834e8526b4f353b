"""Litecoin that is replaced, taken back by its chain, or comes out of extension blocks (MWEB), through a real litecoind."""

import subprocess
import sys
import time
from decimal import Decimal

import pytest

from tests.running import ROOT, Shop, wait_for
from tests.stack.buying import (
    buy,
    invoice_of,
    let_expire,
    paid_in_dollars,
    read_order,
    settled_events,
    standing,
    stock_product,
    wait_until,
)
from tests.stack.chain import take_back, take_coin
from tests.stack.ledger import change_ledger, differences, reference_of
from tests.stack.litecoind import LitecoinNode

DUE = "0.25000000"  # 20.00 at 80.00 for a litecoin


@pytest.fixture(scope="module")
def litecoin(litecoin: LitecoinNode) -> LitecoinNode:
    """With coins for all payments from extension blocks below, also while others wait for a block."""
    litecoin.hide(9)
    return litecoin


# --- Replaced and taken back --------------------------------------------------------------------------------------------------


def test_a_replacement_transaction_to_the_same_address_counts_once(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    coin = take_coin(litecoin)

    coin.pay({bought.address: bought.amount})
    wait_until(shop, bought, "processing")
    replacement = coin.pay({bought.address: bought.amount})
    litecoin.mine()

    wait_until(shop, bought, "settled")
    assert read_order(shop, bought)["transactionHash"] == replacement
    assert paid_in_dollars(shop, bought) == Decimal("20.00")


def test_a_replacement_transaction_to_another_address_cancels_the_payment(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    coin = take_coin(litecoin)

    coin.pay({bought.address: bought.amount})
    wait_until(shop, bought, "processing")
    coin.pay({litecoin.call("getnewaddress", wallet=litecoin.buyers): bought.amount})
    wait_for("the money to be gone", lambda: standing(shop, bought)[0] == "new")
    litecoin.mine()

    wait_until(shop, bought, "new", "double_spent")
    assert paid_in_dollars(shop, bought) == 0


def test_a_double_spend_mined_while_workers_were_down_cancels_the_payment(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    coin = take_coin(litecoin)

    coin.pay({bought.address: bought.amount})
    wait_until(shop, bought, "processing")
    with shop.without("worker"):
        coin.pay({litecoin.call("getnewaddress", wallet=litecoin.buyers): "0.1"})
        litecoin.mine()

    wait_until(shop, bought, "new", "double_spent")


def test_a_reorg_before_settlement_delays_the_settlement(shop: Shop, litecoin: LitecoinNode):
    bought = buy(shop, stock_product(shop, stock=1, price="200.00"), coin="LTC")

    litecoin.pay(bought.address, bought.amount)
    litecoin.mine()
    wait_for("the confirmation", lambda: invoice_of(shop, bought)["confirmations"] == 1)
    take_back(litecoin, 1)
    litecoin.mine_nothing(2)

    wait_for("none of them to be left", lambda: invoice_of(shop, bought)["confirmations"] == 0)
    assert standing(shop, bought) == ("processing", [])
    litecoin.mine(2)
    wait_until(shop, bought, "settled")
    assert settled_events(shop, bought.invoice) == 1


def test_a_reorg_after_settlement_holds_the_order_until_it_settles_again(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")

    litecoin.pay(bought.address, bought.amount)
    litecoin.mine()
    wait_until(shop, bought, "settled")
    take_back(litecoin, 1)
    litecoin.mine_nothing(2)

    wait_until(shop, bought, "processing", "reorged")
    shipped = shop.http.put(f"/api/orders/{bought.id}/status", headers=shop.staff(), json={"status": "shipped"})
    assert shipped.status_code == 409, shipped.text
    litecoin.mine()
    wait_until(shop, bought, "settled")


# --- Out of extension blocks (MWEB) -------------------------------------------------------------------------------------------


def paid_by(litecoin: LitecoinNode, address: str) -> list[str]:
    """The transactions of the last block that pay to the address, as every explorer shows them."""
    block = litecoin.call("getblock", litecoin.call("getbestblockhash"), 2)
    outputs = [(transaction["txid"], output["scriptPubKey"]) for transaction in block["tx"] for output in transaction["vout"]]
    return [txid for txid, script in outputs if address in script.get("addresses", ())]


def test_a_payment_from_mweb_is_seen_at_once_and_counts_once(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")

    litecoin.pay_from_mweb(bought.address, bought.amount)
    wait_until(shop, bought, "processing")
    litecoin.mine()

    wait_until(shop, bought, "settled")
    assert [read_order(shop, bought)["transactionHash"]] == paid_by(litecoin, bought.address)
    litecoin.mine(7)
    time.sleep(3)
    assert paid_in_dollars(shop, bought) == Decimal("20.00")
    assert (standing(shop, bought), settled_events(shop, bought.invoice)) == (("settled", []), 1)


def test_several_payments_from_mweb_in_one_block_all_count(shop: Shop, litecoin: LitecoinNode, product: str):
    first, second = buy(shop, product, coin="LTC"), buy(shop, product, coin="LTC")

    for address, amount in ((first.address, "0.125"), (first.address, "0.125"), (second.address, DUE)):
        litecoin.pay_from_mweb(address, amount)
    litecoin.mine()

    wait_until(shop, first, "settled")
    wait_until(shop, second, "settled")
    assert [paid_in_dollars(shop, each) for each in (first, second)] == [Decimal("20.00")] * 2


def test_a_payment_from_mweb_sent_in_time_and_mined_after_expiry_is_in_time(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    with shop.without("worker"):
        litecoin.pay_from_mweb(bought.address, bought.amount)
        time.sleep(1.1)  # the node remembers whole seconds
        let_expire(shop, bought.invoice)
        time.sleep(1.1)
        litecoin.mine()

    wait_until(shop, bought, "settled")


def test_a_payment_from_mweb_that_the_wallet_saw_only_in_its_block_is_found(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    with shop.without("worker"):
        litecoin.call("unloadwallet", litecoin.watching)
        litecoin.pay_from_mweb(bought.address, bought.amount)
        litecoin.mine(7)  # the output is ripe now, and the wallet has another name for it

    wait_until(shop, bought, "settled")
    assert paid_in_dollars(shop, bought) == Decimal("20.00")


def test_a_payment_from_mweb_is_unconfirmed_after_a_reorg_until_mined_again(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    litecoin.pay_from_mweb(bought.address, bought.amount)
    litecoin.mine()
    wait_until(shop, bought, "settled")

    take_back(litecoin, 1)
    wait_until(shop, bought, "processing", "reorged")
    litecoin.mine_nothing(2)
    time.sleep(2)
    assert (standing(shop, bought), paid_in_dollars(shop, bought)) == (("processing", ["reorged"]), Decimal("20.00"))
    litecoin.mine()

    wait_until(shop, bought, "settled")
    assert paid_in_dollars(shop, bought) == Decimal("20.00")
    assert [read_order(shop, bought)["transactionHash"]] == paid_by(litecoin, bought.address)


ASK = """
from uuid import UUID
from django.utils import timezone
from payments.sync.follower import refresh_invoice
refresh_invoice(UUID("%s"), at=timezone.now())
"""


def test_checking_an_invoice_counts_each_payment_from_mweb_once(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    ask = [sys.executable, "manage.py", "shell", "--no-imports", "-c", ASK % bought.invoice]
    with shop.without("worker"):
        for _ in range(2):
            litecoin.pay_from_mweb(bought.address, "0.125")
            subprocess.run(ask, cwd=ROOT, env=shop.environment, check=True)
        assert (standing(shop, bought), paid_in_dollars(shop, bought)) == (("processing", []), Decimal("20.00"))
        litecoin.mine()
        subprocess.run(ask, cwd=ROOT, env=shop.environment, check=True)
        assert paid_in_dollars(shop, bought) == Decimal("20.00")
        assert [read_order(shop, bought)["transactionHash"]] * 2 == paid_by(litecoin, bought.address)

    wait_until(shop, bought, "settled")


def test_the_records_of_litecoind_and_the_ledger_agree_about_payments_from_mweb(shop: Shop, litecoin: LitecoinNode, product: str):
    """While it waits, in its block, and when its output is ripe; and after all that was done to the chain before."""
    plain, hidden = buy(shop, product, coin="LTC"), buy(shop, product, coin="LTC")
    litecoin.pay(plain.address, plain.amount)
    litecoin.pay_from_mweb(hidden.address, hidden.amount)
    for each in (plain, hidden):
        wait_until(shop, each, "processing")
    assert differences(shop, "--network", "LTC") == []

    for blocks in (1, 6):
        litecoin.mine(blocks)
        for each in (plain, hidden):
            wait_until(shop, each, "settled")
        assert differences(shop, "--network", "LTC") == []

    for each in (plain, hidden):
        reference = reference_of(shop, each)
        change_ledger(shop, "update payments_payment set amount_base = 1 where reference = ?", reference)
        assert [row[:3] for row in differences(shop, "--network", "LTC")] == [["amount differs", "LTC", reference]]
        change_ledger(shop, "update payments_payment set amount_base = 25000000 where reference = ?", reference)
