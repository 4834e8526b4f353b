"""Money goes back: over the chain, signed by staff, over Lightning; and a sender that is killed never pays twice and forgets nothing."""

import base64
import random
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import LONGEST, STAFF, Shop, wait_for
from tests.stack.bitcoind import Node, restart
from tests.stack.buying import buy, hidden, read_order, stock_product
from tests.stack.chain import Coin, take_back, take_coin
from tests.stack.conftest import open_shop
from tests.stack.lightning import LightningPair
from tests.stack.senders import PayoutLedger, fill_purse, node_settings

KILLS = 30
SAT = 20_000


@pytest.fixture(scope="module")
def pair(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightningPair]:
    pair = LightningPair(tmp_path_factory.mktemp("lightning"), node)
    pair.start()
    yield pair
    pair.stop()


@pytest.fixture(scope="module")
def purse(node: Node) -> str:
    return fill_purse(node, f"purse-{node.watching}", coins=60)


@pytest.fixture(scope="module")
def shop(node: Node, pair: LightningPair, purse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from open_shop(node, tmp_path_factory.mktemp("payouts"), pair.shop.settings() | {"BITCOIN_PAYOUT_WALLET": purse})


@pytest.fixture(scope="module")
def watching_shop(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Has no keys anywhere: staff sign."""
    yield from open_shop(node, tmp_path_factory.mktemp("watching"), {})


def admin_of(shop: Shop) -> httpx.Client:
    browser = httpx.Client(base_url=shop.url, follow_redirects=True, timeout=LONGEST)
    form = hidden(browser.get("/account/login/"))
    done = browser.post("/account/login/", data={**form, "name": STAFF["username"], "password": STAFF["password"]})
    assert done.status_code == 200
    return browser


def press(browser: httpx.Client, path: str, *, status: int = 200, **values: Any) -> httpx.Response:
    """Fill in and send the form of a page of the admin that asks first. A refused action shows it again, with 409."""
    page = browser.get(path)
    assert page.status_code == 200
    files = values.pop("files", None)
    answer = browser.post(path, data={**hidden(page), **values}, files=files)
    told = re.findall(r"errorlist.*|<li class=.(?:error|warning).*", answer.text)
    assert answer.status_code == status, told
    return answer


def overpaid_order(shop: Shop, node: Node) -> tuple[Any, str]:
    """(the order, its id at the invoice): paid with half of the price too much, and settled."""
    bought = buy(shop, stock_product(shop, stock=5))
    node.pay(bought.address, str((Decimal(bought.amount) * 3 / 2).quantize(Decimal("1E-8"))))
    node.mine()
    told = ("status", "flags")
    wait_for("it to settle", lambda: [shop.get(f"/api/invoices/{bought.invoice}")[name] for name in told] == ["settled", ["overpaid"]])
    return bought, bought.invoice


def draft(shop: Shop, invoice: str, **more: Any) -> dict[str, Any]:
    body = {"invoiceId": invoice, "kind": "excess", "network": "BTC", "reason": "paid too much", **more}
    answer = shop.http.post("/api/payouts", headers=shop.staff(), json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


def payout(shop: Shop, payout_id: str) -> dict[str, Any]:
    return next(each for each in shop.get("/api/payouts", headers=shop.staff()) if each["id"] == payout_id)


def refund_link(shop: Shop, number: str) -> str:
    """From the mail that asks the buyer."""

    def look() -> str | None:
        for file in (shop.data / "mail").glob("*.eml"):
            text = file.read_bytes().replace(b"=\n", b"").replace(b"=3D", b"=").decode(errors="replace")
            if number in text and (found := re.search(r"/refund/([^/\s\"]+)/", text)):
                return f"/refund/{found[1]}/"
        return None

    return str(wait_for("the mail with the link", look))


def test_a_buyer_who_gives_an_address_is_refunded_the_excess(shop: Shop, node: Node):
    bought, invoice = overpaid_order(shop, node)
    drafted = draft(shop, invoice)
    assert (drafted["status"], drafted["destination"]) == ("draft", None)
    home = node.call("getnewaddress", wallet=node.buyers)

    buyer = httpx.Client(base_url=shop.url, follow_redirects=True, timeout=LONGEST)
    link = refund_link(shop, bought.number)
    mistyped = home[:-1] + ("q" if home[-1] != "q" else "p")
    wrong = buyer.post(link, data={**hidden(buyer.get(link)), "network": "BTC", "destination": mistyped})
    assert wrong.status_code == 400
    assert "not a valid Bitcoin address" in wrong.text
    assert "We received your request" in buyer.post(link, data={**hidden(buyer.get(link)), "network": "BTC", "destination": home}).text
    press(admin_of(shop), f"/admin/payments/payout/{drafted['id']}/act/approve/")

    sent = wait_for("the payout to be sent", lambda: (row := payout(shop, drafted["id"]))["status"] == "sent" and row)
    assert node.call("getreceivedbyaddress", home, 0, wallet=node.buyers) == Decimal(drafted["amount"])
    assert node.call("gettransaction", sent["reference"], wallet=node.buyers)["confirmations"] >= 0
    assert Decimal(sent["fee"]) > 0
    assert read_order(shop, bought)["paymentStatus"] == "overpaid"


def test_an_order_is_refunded_over_lightning(shop: Shop, node: Node, pair: LightningPair):
    bought = buy(shop, stock_product(shop, stock=5))
    node.pay(bought.address, bought.amount)
    node.mine()
    wait_for("it to settle", lambda: shop.get(f"/api/invoices/{bought.invoice}")["status"] == "settled")
    sat = int(Decimal(bought.amount) * 10**8)
    request = pair.payer.cli("addinvoice", f"--amt={sat}", "--expiry=86400")["payment_request"]

    drafted = draft(shop, bought.invoice, kind="refund", network="BTC-LN", amount=str(Decimal(sat).scaleb(-8)), destination=request)
    press(admin_of(shop), f"/admin/payments/payout/{drafted['id']}/act/approve/")

    sent = wait_for("the payout to be sent", lambda: (row := payout(shop, drafted["id"]))["status"] == "sent" and row)
    assert pair.payer.cli("lookupinvoice", sent["reference"])["state"] == "SETTLED"
    wait_for("the order to say so", lambda: read_order(shop, bought)["paymentStatus"] == "refunded")


def test_a_payout_that_the_receiver_refuses_fails_and_can_be_drafted_again(shop: Shop, node: Node, pair: LightningPair):
    _, invoice = overpaid_order(shop, node)
    request = pair.payer.cli("addinvoice", "--amt=1000", "--expiry=86400")
    drafted = draft(shop, invoice, network="BTC-LN", amount="0.00001", destination=request["payment_request"])
    pair.payer.cli("cancelinvoice", request["r_hash"])

    press(admin_of(shop), f"/admin/payments/payout/{drafted['id']}/act/approve/")

    wait_for("the payout to fail", lambda: payout(shop, drafted["id"])["status"] == "failed")
    assert draft(shop, invoice)["status"] == "draft"


def test_staff_can_sign_a_payout_when_the_shop_has_no_keys(watching_shop: Shop, node: Node):
    shop = watching_shop
    _, invoice = overpaid_order(shop, node)
    home = node.call("getnewaddress", wallet=node.buyers)
    drafted = draft(shop, invoice, destination=home)
    browser, page = admin_of(shop), f"/admin/payments/payout/{drafted['id']}"
    press(browser, f"{page}/act/approve/")

    file = wait_for("the transaction to sign", lambda: (got := browser.get(f"{page}/psbt/")).status_code == 200 and got)
    offered = base64.b64encode(file.content).decode()
    assert "Signatures are missing" in press(browser, f"{page}/act/sign/", status=409, text=offered).text
    other = node.call("walletcreatefundedpsbt", [], [{home: "0.5"}], wallet=node.buyers)["psbt"]
    foreign = node.call("walletprocesspsbt", other, wallet=node.buyers)["psbt"]
    assert "another transaction" in press(browser, f"{page}/act/sign/", status=409, text=foreign).text
    node.look_far_ahead()
    signed = base64.b64decode(node.call("walletprocesspsbt", offered, wallet=node.merchant)["psbt"])
    press(browser, f"{page}/act/sign/", files={"file": ("signed.psbt", signed)})

    wait_for("the payout to be sent", lambda: payout(shop, drafted["id"])["status"] == "sent")
    assert node.call("getreceivedbyaddress", home, 0, wallet=node.buyers) == Decimal(drafted["amount"])


def test_a_payout_that_the_signing_wallet_has_sent_cannot_be_withdrawn(watching_shop: Shop, node: Node):
    shop = watching_shop
    _, invoice = overpaid_order(shop, node)
    drafted = draft(shop, invoice, destination=node.call("getnewaddress", wallet=node.buyers))
    browser, page = admin_of(shop), f"/admin/payments/payout/{drafted['id']}"
    press(browser, f"{page}/act/approve/")
    file = wait_for("the transaction to sign", lambda: (got := browser.get(f"{page}/psbt/")).status_code == 200 and got)
    node.look_far_ahead()
    signed = node.call("walletprocesspsbt", base64.b64encode(file.content).decode(), wallet=node.merchant)["psbt"]
    txid = node.call("sendrawtransaction", node.call("finalizepsbt", signed)["hex"])

    assert "has already sent it" in press(browser, f"{page}/act/withdraw/", status=409, reason="a slip").text
    press(browser, f"{page}/act/sign/", text=signed)

    sent = wait_for("the payout to be sent", lambda: (row := payout(shop, drafted["id"]))["status"] == "sent" and row)
    assert sent["reference"] == txid


# --- The excess is double spent after its payout was drafted ------------------------------------------------------------------


@pytest.fixture(scope="module")
def thrifty_shop(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Has keys, and does not pay the fees of a rush."""
    purse = fill_purse(node, f"thrifty-{node.watching}", coins=2)
    yield from open_shop(node, tmp_path_factory.mktemp("thrifty"), {"BITCOIN_PAYOUT_WALLET": purse, "PAYOUT_FEE_MINIMUM": "2"})


def paid_twice(shop: Shop, node: Node) -> tuple[Any, Coin]:
    """(an order whose own payment is deep enough, the coin that paid the excess in the newest block)."""
    bought = buy(shop, stock_product(shop, stock=5))
    node.pay(bought.address, bought.amount)
    node.mine()
    wait_for("it to settle", lambda: shop.get(f"/api/invoices/{bought.invoice}")["status"] == "settled")
    coin = take_coin(node)
    coin.pay({bought.address: bought.amount})
    node.mine()
    wait_for("the excess", lambda: shop.get(f"/api/invoices/{bought.invoice}")["flags"] == ["overpaid"])
    return bought, coin


def double_spend(shop: Shop, node: Node, bought: Any, coin: Coin) -> None:
    take_back(node, 1)
    coin.pay({node.call("getnewaddress", wallet=node.buyers): "0.001"})
    node.mine(2)
    invoice = wait_for("the excess to go", lambda: (now := shop.get(f"/api/invoices/{bought.invoice}"))["flags"] == [] and now)
    assert invoice["status"] == "settled"
    assert read_order(shop, bought)["paymentStatus"] == "paid"
    assert bought.number not in admin_of(shop).get("/admin/shop/order/?work=hold").text


GONE = "What this payout sends back is no longer there"


def test_an_excess_that_was_double_spent_is_not_approved(watching_shop: Shop, node: Node):
    shop = watching_shop
    bought, coin = paid_twice(shop, node)
    drafted = draft(shop, bought.invoice, destination=node.call("getnewaddress", wallet=node.buyers))
    browser, page = admin_of(shop), f"/admin/payments/payout/{drafted['id']}"

    double_spend(shop, node, bought, coin)

    assert GONE in browser.get(f"{page}/act/approve/").text
    assert GONE in press(browser, f"{page}/act/approve/", status=409).text
    wait_for("staff to be told", lambda: GONE in browser.get("/admin/exceptions/").text)
    press(browser, f"{page}/act/withdraw/", reason="it was double spent")
    assert payout(shop, drafted["id"])["status"] == "withdrawn"


def test_a_signature_for_an_excess_that_was_double_spent_is_refused(watching_shop: Shop, node: Node):
    shop = watching_shop
    bought, coin = paid_twice(shop, node)
    home = node.call("getnewaddress", wallet=node.buyers)
    drafted = draft(shop, bought.invoice, destination=home)
    browser, page = admin_of(shop), f"/admin/payments/payout/{drafted['id']}"
    press(browser, f"{page}/act/approve/")
    file = wait_for("the transaction to sign", lambda: (got := browser.get(f"{page}/psbt/")).status_code == 200 and got)
    node.look_far_ahead()
    signed = node.call("walletprocesspsbt", base64.b64encode(file.content).decode(), wallet=node.merchant)["psbt"]

    double_spend(shop, node, bought, coin)

    assert GONE in browser.get(f"{page}/change/").text
    assert GONE in press(browser, f"{page}/act/sign/", status=409, text=signed).text
    assert payout(shop, drafted["id"])["status"] == "approved"
    assert node.call("getreceivedbyaddress", home, 0, wallet=node.buyers) == 0


def test_an_excess_that_was_double_spent_is_not_sent_after_it_was_approved(thrifty_shop: Shop, node: Node):
    shop = thrifty_shop
    bought, coin = paid_twice(shop, node)
    home = node.call("getnewaddress", wallet=node.buyers)
    drafted = draft(shop, bought.invoice, destination=home)
    browser, page = admin_of(shop), f"/admin/payments/payout/{drafted['id']}"
    restart(node, "-fallbackfee=0.003")
    wait_for("the node to be back", lambda: "at most" in browser.get(f"{page}/act/approve/").text)
    assert "The payout waits until fees fall" in browser.get(f"{page}/act/approve/").text
    press(browser, f"{page}/act/approve/")
    wait_for("it to wait for lower fees", lambda: "The payout waits until fees fall" in browser.get("/admin/exceptions/").text)

    double_spend(shop, node, bought, coin)
    press(browser, f"{page}/act/fee/", fee="0.001", reason="The buyer waits.")
    press(browser, f"{page}/act/again/")

    wait_for("staff to be told", lambda: GONE in browser.get("/admin/exceptions/").text)
    assert payout(shop, drafted["id"])["status"] == "approved"
    assert node.call("getreceivedbyaddress", home, 0, wallet=node.buyers) == 0
    restart(node)


# --- Killed in between --------------------------------------------------------------------------------------------------------


def test_a_payout_on_the_chain_is_paid_once_when_its_sender_is_killed(node: Node, purse: str, tmp_path: Path):
    ledger = PayoutLedger(tmp_path, node_settings(node, purse))
    addresses = [node.call("getnewaddress", wallet=node.buyers) for _ in range(KILLS)]
    payouts = ledger.make("BTC", SAT, addresses)
    chance, between = random.Random(KILLS), 0

    def until_the_node_has_it(known: int) -> None:
        """Asked as fast as it answers: the database is about to be told."""
        deadline = time.monotonic() + LONGEST
        while len(node.call("getrawmempool")) == known and time.monotonic() < deadline:
            pass

    for turn, payout_id in enumerate(payouts):
        known = len(node.call("getrawmempool"))
        if turn % 3:
            ledger.send_and_kill(payout_id, lambda known=known: until_the_node_has_it(known))  # type: ignore[misc]
        else:
            ledger.send_and_kill(payout_id, lambda: time.sleep(chance.uniform(0, 0.1)))
        between += len(node.call("getrawmempool")) > known and ledger.status(payout_id) != "sent"
    assert between >= KILLS // 6, f"Only {between} were killed between node and database."

    ledger.sweep()
    node.mine()
    ledger.sweep()

    assert [ledger.status(payout_id) for payout_id in payouts] == ["sent"] * KILLS
    received = [each for each in node.call("listtransactions", "*", 1000, wallet=node.buyers) if each.get("address") in addresses]
    incoming = [each["address"] for each in received if each["category"] == "receive"]
    assert sorted(incoming) == sorted(addresses)
    assert {each["amount"] for each in received if each["category"] == "receive"} == {Decimal(SAT).scaleb(-8)}
    ledger.stop()


def test_a_payout_over_lightning_is_paid_once_when_its_sender_is_killed(node: Node, purse: str, pair: LightningPair, tmp_path: Path):
    ledger = PayoutLedger(tmp_path, node_settings(node, purse) | pair.shop.settings())
    requests = [pair.payer.cli("addinvoice", f"--amt={SAT}", "--expiry=86400") for _ in range(KILLS)]
    payouts = ledger.make("BTC-LN", SAT * 1000, [each["payment_request"] for each in requests])
    chance, between, pause = random.Random(KILLS), 0, 0.08

    def until_lnd_is_asked(payout_id: str) -> None:
        """The intent is stored, and the payment is about to begin, under way, or about to be noted."""
        deadline = time.monotonic() + LONGEST
        while ledger.status(payout_id) == "approved" and time.monotonic() < deadline:
            pass
        time.sleep(chance.uniform(0, pause))

    for turn, (payout_id, request) in enumerate(zip(payouts, requests, strict=True)):
        if turn % 3:
            ledger.send_and_kill(payout_id, lambda payout_id=payout_id: until_lnd_is_asked(payout_id))  # type: ignore[misc]
        else:
            ledger.send_and_kill(payout_id, lambda: time.sleep(chance.uniform(0, 0.25)))
        time.sleep(0.5)
        paid, noted = pair.payer.cli("lookupinvoice", request["r_hash"])["state"] == "SETTLED", ledger.status(payout_id) == "sent"
        between += paid and not noted
        if turn % 3:  # the next kill comes later where this one was too early, and earlier where it was too late
            pause = pause / 1.5 if noted else pause if paid else pause * 1.5
    assert between >= KILLS // 6, f"Only {between} were killed between LND and database."

    for _ in range(3):
        ledger.sweep()

    assert [ledger.status(payout_id) for payout_id in payouts] == ["sent"] * KILLS
    told = [pair.payer.cli("lookupinvoice", each["r_hash"]) for each in requests]
    assert {(each["state"], each["amt_paid_sat"]) for each in told} == {("SETTLED", str(SAT))}
    assert {sum(htlc["state"] == "SETTLED" for htlc in each["htlcs"]) for each in told} == {1}
    ledger.stop()
