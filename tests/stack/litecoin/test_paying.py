"""Litecoin through a real litecoind, next to Bitcoin and alone."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.running import Shop, wait_for
from tests.stack.bitcoind import Node, restart
from tests.stack.buying import (
    buy,
    buy_as_a_guest,
    choose_a_coin,
    confirmations_mailed,
    order,
    order_at_once_without_wallet,
    read_order,
    settled_events,
    stock_product,
    wait_until,
)
from tests.stack.conftest import open_shop
from tests.stack.litecoind import LitecoinNode, extended_key
from tests.stack.senders import PayoutLedger, fill_purse, node_settings

DUE = "0.25000000"  # 20.00 at 80.00 for a litecoin


# --- Offered and paid ---------------------------------------------------------------------------------------------------------


def test_a_payment_of_the_exact_amount_settles_the_invoice(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    assert bought.amount == DUE

    txid = litecoin.pay(bought.address, bought.amount)
    wait_until(shop, bought, "processing")
    litecoin.mine()

    wait_until(shop, bought, "settled")
    paid = read_order(shop, bought)
    assert (paid["status"], paid["paymentStatus"], paid["transactionHash"]) == ("processing", "paid", txid)
    wait_for("the mail", lambda: confirmations_mailed(shop)[bought.number] == 1)


def test_only_the_configured_coins_can_be_chosen(shop: Shop, node: Node, product: str):
    page, _ = choose_a_coin(shop, product)
    assert re.findall(r'name="network" value="([^"]+)"', page.text) == ["BTC", "LTC"]
    assert order(shop, product, coin="XRP").status_code == 503

    bitcoin = buy(shop, product, coin="BTC")
    node.pay(bitcoin.address, bitcoin.amount)
    node.mine()
    wait_until(shop, bitcoin, "settled")


def test_the_health_check_shows_staff_the_state_of_each_node(shop: Shop, node: Node, litecoin: LitecoinNode, product: str):
    buy(shop, product, coin="LTC")

    def told() -> dict[str, Any]:
        nodes = shop.http.get("/healthz", headers=shop.staff()).json()["details"]["nodes"]
        return {each["network"]: each for each in nodes if each["status"] == "ok"}

    both = wait_for("both nodes to be well", lambda: nodes if len(nodes := told()) == 2 else None, seconds=30)
    for network, real in (("BTC", node), ("LTC", litecoin)):
        assert both[network]["height"] == real.call("getblockcount")
        assert both[network]["wallet"].startswith("watch-only")
        assert both[network]["peers"] == 0
        assert both[network]["follower"]["behind"] == 0


def test_a_guest_can_pay_in_litecoin(shop: Shop, litecoin: LitecoinNode, product: str):
    path, browser = buy_as_a_guest(shop, product, coin="LTC")
    page = browser.get(path).text
    invoice = shop.get(f"/api/invoices/{path.split('/')[2]}")
    assert f"litecoin:{invoice['address']}?amount=0.25" in page
    assert "TEST MODE" not in page

    litecoin.pay(invoice["address"], invoice["amount"])
    litecoin.mine()

    wait_for("the pay page to say so", lambda: ">Paid<" in browser.get(path).text)


def test_payments_go_to_the_merchants_wallet_and_the_shop_cannot_spend_them(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")

    assert litecoin.call("getaddressinfo", bought.address, wallet=litecoin.merchant)["ismine"]
    assert litecoin.call("getwalletinfo", wallet=litecoin.watching)["private_keys_enabled"] is False


def test_twenty_orders_have_twenty_addresses_and_settle_in_one_block(shop: Shop, litecoin: LitecoinNode, product: str):
    orders = [buy(shop, product, coin="LTC") for _ in range(20)]
    assert len({each.address for each in orders}) == 20

    for each in orders:
        litecoin.pay(each.address, each.amount)
    litecoin.mine()

    for each in orders:
        wait_until(shop, each, "settled")
    assert [settled_events(shop, each.invoice) for each in orders] == [1] * 20


# --- Wallets ------------------------------------------------------------------------------------------------------------------


def test_a_shop_with_only_a_litecoin_wallet_takes_only_litecoin(litecoin: LitecoinNode, tmp_path: Path):
    """And goes on although its owner also receives money within MWEB."""
    own = {"LITECOIN_WALLET": litecoin.merchant, "LITECOIN_DESCRIPTOR": ""}
    for shop in open_shop(litecoin, tmp_path, own):
        product = stock_product(shop, stock=5)
        page, _ = choose_a_coin(shop, product)
        assert re.findall(r'name="network" value="([^"]+)"', page.text) == ["LTC"]
        litecoin.pay(litecoin.call("getnewaddress", "", "mweb", wallet=litecoin.merchant), "1")

        bought = buy(shop, product, coin="LTC")
        litecoin.pay(bought.address, bought.amount)
        litecoin.mine()

        wait_until(shop, bought, "settled")
        assert order(shop, product, coin="BTC").status_code == 503


@pytest.mark.parametrize("kind", ["pkh({}/0/*)", "sh(wpkh({}/0/*))"], ids=["legacy", "wrapped segwit"])
def test_each_kind_of_descriptor_derives_its_addresses_in_order(litecoin: LitecoinNode, tmp_path: Path, kind: str):
    descriptor = litecoin.public(kind.format(extended_key()))
    settings = {"LITECOIN_WALLET": f"kind-{tmp_path.name}", "LITECOIN_DESCRIPTOR": descriptor}
    for shop in open_shop(litecoin, tmp_path, settings):
        product = stock_product(shop, stock=5)
        bought = [buy(shop, product, coin="LTC") for _ in range(2)]
        assert [each.address for each in bought] == litecoin.call("deriveaddresses", descriptor, [0, 1])

        for each in bought:
            litecoin.pay(each.address, each.amount)
        litecoin.mine()

        for each in bought:
            wait_until(shop, each, "settled")


def test_a_pool_of_addresses_that_runs_out_is_refilled(litecoin: LitecoinNode, tmp_path: Path):
    wallet, descriptor = f"short-{tmp_path.name}", litecoin.public(f"wpkh({extended_key()}/0/*)")
    litecoin.call("createwallet", wallet_name=wallet, disable_private_keys=True, blank=True)
    request = {"desc": descriptor, "range": [0, 1], "timestamp": "now", "watchonly": True, "keypool": True}
    litecoin.call("importmulti", [request], wallet=wallet)

    for shop in open_shop(litecoin, tmp_path, {"LITECOIN_WALLET": wallet, "LITECOIN_DESCRIPTOR": descriptor}):
        product = stock_product(shop, stock=9)
        bought = [buy(shop, product, coin="LTC") for _ in range(5)]
        assert [each.address for each in bought] == litecoin.call("deriveaddresses", descriptor, [0, 4])

        litecoin.pay(bought[4].address, bought[4].amount)
        litecoin.mine()
        wait_until(shop, bought[4], "settled")


def test_starting_imports_the_addresses_that_an_empty_wallet_lacks(litecoin: LitecoinNode, tmp_path: Path):
    wallet = f"empty-{tmp_path.name}"
    litecoin.call("createwallet", wallet_name=wallet, disable_private_keys=True, blank=True)
    for shop in open_shop(litecoin, tmp_path, {"LITECOIN_WALLET": wallet}):
        bought = buy(shop, stock_product(shop, stock=1), coin="LTC")
        assert litecoin.call("getaddressinfo", bought.address, wallet=litecoin.merchant)["ismine"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"LITECOIN_RPC_PASS": "wrong"}, r"The Litecoin node refuses LITECOIN_RPC_USER and LITECOIN_RPC_PASS\."),
        ({"LITECOIN_DESCRIPTOR": "{other}"}, r"on the Litecoin node was made from another descriptor than LITECOIN_DESCRIPTOR\."),
        ({"LITECOIN_WALLET": "{merchant}"}, r"on the Litecoin node was made from another descriptor than LITECOIN_DESCRIPTOR\."),
        ({"LITECOIN_WALLET": "nowhere", "LITECOIN_DESCRIPTOR": ""}, r"The Litecoin node has no wallet 'nowhere'\. Set LITECOIN_DESCRIPTOR"),
        ({"LITECOIN_NETWORK": "testnet"}, r"The Litecoin node follows the chain 'regtest', but LITECOIN_NETWORK is 'testnet'\."),
    ],
    ids=["password", "descriptor", "wallet of another kind", "no wallet", "chain"],
)
def test_the_shop_does_not_start_with_the_wrong_node_or_wallet(
    shop: Shop, litecoin: LitecoinNode, tmp_path: Path, wrong: dict[str, str], says: str
):
    other = litecoin.public(f"wpkh({extended_key()}/0/*)")
    settings = {name: value.format(other=other, merchant=litecoin.merchant) for name, value in wrong.items()}
    with pytest.raises(AssertionError, match=f"Cryptons cannot start: .*{says}"):
        next(open_shop(litecoin, tmp_path, settings))


@pytest.mark.parametrize("kind", [Node, LitecoinNode])
def test_the_shop_does_not_start_when_a_mainnet_node_holds_private_keys(kind: type[Node], tmp_path: Path):
    """A node of the main chain that knows nobody, so it stays at the first block."""

    class MainNode(kind):  # type: ignore[misc, valid-type]
        chain, options = "main", ("-connect=0", "-prune=550")

    node = MainNode(tmp_path / "node")
    node.start()
    node.watching = "cryptons"
    node.descriptor = lambda: ""
    try:
        node.call("createwallet", wallet_name="cryptons")
        with pytest.raises(AssertionError, match=f"node holds private keys.* set {node.prefix}_DESCRIPTOR to your public descriptor"):
            next(open_shop(node, tmp_path / "shop", {f"{node.prefix}_NETWORK": "mainnet"}))
    finally:
        node.stop()


# --- A node in trouble --------------------------------------------------------------------------------------------------------


def test_bitcoin_stays_available_while_litecoind_is_down(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    litecoin.pay(bought.address, bought.amount)
    litecoin.stop()
    try:
        refused = order(shop, product, coin="LTC")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert "The Litecoin node does not answer" in refused.json()["error"]["message"]
        assert order(shop, product, coin="BTC").status_code == 201
        for path in ("/", "/cart/", f"/pay/{bought.invoice}/", "/healthz"):
            assert shop.http.get(path).status_code == 200, path
        wait_for("the page to say so", lambda: "Litecoin cannot be reached right now" in choose_a_coin(shop, product)[0].text)
        assert re.findall(r'value="(\w+)" checked', choose_a_coin(shop, product)[0].text) == ["BTC"]
    finally:
        litecoin.start()
    litecoin.mine()
    wait_until(shop, bought, "settled")
    wait_for("new orders to be taken again", lambda: order(shop, product, coin="LTC").status_code == 201)


def test_the_shop_loads_its_wallet_after_a_restart_of_the_node(shop: Shop, litecoin: LitecoinNode, product: str):
    bought = buy(shop, product, coin="LTC")
    litecoin.call("unloadwallet", litecoin.watching, False)
    litecoin.stop()
    litecoin.start()
    litecoin.pay(bought.address, bought.amount)
    litecoin.mine()

    wait_until(shop, bought, "settled")
    assert order(shop, product, coin="LTC").status_code == 201
    assert litecoin.watching in litecoin.call("listwallets")


def test_simultaneous_orders_succeed_when_the_node_has_not_loaded_the_wallet(shop: Shop, litecoin: LitecoinNode, product: str):
    for _ in range(5):
        order_at_once_without_wallet(shop, litecoin, product)


def test_a_changed_password_of_litecoind_is_logged_and_stops_litecoin_alone(shop: Shop, litecoin: LitecoinNode, product: str):
    litecoin.stop()
    litecoin.change_password("another")
    litecoin.start()
    try:
        assert order(shop, product, coin="LTC").status_code == 503
        assert order(shop, product, coin="BTC").status_code == 201
        wait_for("the log to say it", lambda: "The Litecoin node refuses LITECOIN_RPC_USER and LITECOIN_RPC_PASS." in shop.said())
    finally:
        litecoin.stop()
        litecoin.change_password("regtest-only")
        litecoin.start()
    wait_for("orders to be taken again", lambda: order(shop, product, coin="LTC").status_code == 201)


def test_a_payout_to_an_mweb_address_is_refused(litecoin: LitecoinNode, tmp_path: Path):
    """litecoind would make an output for MWEB that anybody may spend."""
    purse = fill_purse(litecoin, f"purse-{litecoin.watching}", coins=2)
    ledger = PayoutLedger(tmp_path, node_settings(litecoin, purse))
    home = litecoin.call("getnewaddress", "", "bech32", wallet=litecoin.buyers)
    hidden = litecoin.call("getnewaddress", "", "mweb", wallet=litecoin.hidden)
    assert [ledger.check(address, "LTC", 100_000) for address in (home, hidden)] == [
        "",
        "This shop cannot send to MWEB addresses. Please enter one that begins with ltc1, L or M.",
    ]
    sent, stopped = ledger.make("LTC", 100_000, [home, hidden])
    for _ in range(2):
        ledger.sweep()

    assert (ledger.status(sent), ledger.status(stopped)) == ("sent", "approved")
    assert "cannot pay this" in ledger.row(stopped)["error"]
    assert litecoin.call("getreceivedbyaddress", home, 0, wallet=litecoin.buyers) == Decimal("0.001")
    assert litecoin.call("getrawmempool") == [ledger.row(sent)["reference"]]
    ledger.stop()


def test_a_payout_fails_once_its_coin_was_spent_in_a_final_transaction(litecoin: LitecoinNode, tmp_path: Path):
    """As in test_payout_trouble.py, though litecoind tells less about its wallet."""
    purse = fill_purse(litecoin, f"purse-{tmp_path.name}", coins=1)
    litecoin.pay(litecoin.call("getnewaddress", "", "bech32", wallet=purse), "1")
    litecoin.mine()
    ledger = PayoutLedger(tmp_path, node_settings(litecoin, purse))
    restart(litecoin, "-fallbackfee=0.15", "-maxtxfee=1")  # more than `sendrawtransaction` lets pass
    (payout_id,) = ledger.make("LTC", 20_000, [litecoin.call("getnewaddress", "", "bech32", wallet=litecoin.buyers)])
    ledger.allow(payout_id, 10_000_000)
    ledger.sweep()
    assert (ledger.status(payout_id), "does not take it now" in ledger.row(payout_id)["error"]) == ("unknown", True)

    txid, vout = ledger.coins(payout_id)[0].split(":")
    own = litecoin.call("getnewaddress", "", "bech32", wallet=purse)
    value = litecoin.call("gettxout", txid, int(vout))["value"]
    raw = litecoin.call("createrawtransaction", [{"txid": txid, "vout": int(vout)}], [{own: str(value - Decimal("0.001"))}])
    litecoin.call("sendrawtransaction", litecoin.call("signrawtransactionwithwallet", raw, wallet=purse)["hex"])
    for blocks, words in ((0, "in no block yet"), (1, "1 of 6 blocks deep"), (4, "5 of 6 blocks deep")):
        if blocks:
            litecoin.mine(blocks)
        ledger.sweep()
        assert words in ledger.row(payout_id)["error"]
    litecoin.mine()
    ledger.sweep()
    ledger.stop()
    restart(litecoin)
    assert ledger.status(payout_id) == "failed"
