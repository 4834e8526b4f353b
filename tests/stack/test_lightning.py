"""Orders that are paid through a real LND, and an LND that is away, hung, locked out or another one."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.running import Shop, in_time, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import (
    Bought,
    buy,
    buy_with_lightning,
    invoice_status,
    order,
    read_order,
    stock_of,
    stock_product,
    wait_until_settled,
)
from tests.stack.conftest import open_shop
from tests.stack.ledger import manage
from tests.stack.lightning import CliError, LightningPair, Lnd


@pytest.fixture(scope="module")
def pair(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightningPair]:
    pair = LightningPair(tmp_path_factory.mktemp("lightning"), node)
    pair.start()
    yield pair
    pair.stop()


@pytest.fixture(scope="module")
def shop(node: Node, pair: LightningPair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from open_shop(node, tmp_path_factory.mktemp("lightning-shop"), pair.shop.settings() | {"LIGHTNING_ROUND_SECONDS": "2"})


@pytest.fixture(scope="module")
def product(shop: Shop) -> str:
    return stock_product(shop, stock=1000)


def payment_of(shop: Shop, product: str) -> tuple[Bought, dict[str, Any]]:
    bought = buy(shop, product)
    return bought, dict(shop.get(f"/api/orders/{bought.id}/payment", headers=shop.buyer()))


def lnd_state(lnd: Lnd, request: str) -> str:
    """LND's own word on the invoice: OPEN, SETTLED or CANCELED."""
    payment_hash = lnd.cli("decodepayreq", request)["payment_hash"]
    return str(lnd.cli("lookupinvoice", payment_hash)["state"])


def test_the_very_first_payment_of_an_lnd_settles_the_order(shop: Shop, pair: LightningPair, product: str):
    """LND's stream never replays it: settle index 1 lies behind no index that can be asked for."""
    bought, payment = buy_with_lightning(shop, product)
    before = stock_of(shop, product)

    assert pair.payer.pay(payment["lightning"])["status"] == "SUCCEEDED"
    wait_until_settled(shop, [bought])

    order = read_order(shop, bought)
    assert (order["status"], order["paymentStatus"]) == ("processing", "paid")
    assert order["transactionHash"] == pair.payer.cli("decodepayreq", payment["lightning"])["payment_hash"]
    assert stock_of(shop, product) == before


def test_one_payment_uri_works_on_the_chain_and_over_lightning(shop: Shop, pair: LightningPair, product: str):
    _, payment = buy_with_lightning(shop, product)

    address, asked = urlsplit(payment["uri"]), parse_qs(urlsplit(payment["uri"]).query)
    assert (address.scheme, address.path) == ("bitcoin", payment["address"])
    assert asked["lightning"] == [payment["lightning"]]
    decoded = pair.payer.cli("decodepayreq", payment["lightning"])
    assert int(decoded["num_msat"]) == round(float(payment["amount"]) * 1e11)
    page = shop.http.get(urlsplit(payment["payUrl"]).path).text
    assert payment["lightning"] in page.replace(" ", "").replace("&amp;", "&")


def test_ten_lightning_payments_in_a_row_settle_within_20_seconds(shop: Shop, pair: LightningPair, product: str):
    bought = [buy_with_lightning(shop, product) for _ in range(10)]
    for _, payment in bought:
        assert pair.payer.pay(payment["lightning"])["status"] == "SUCCEEDED"
    wait_until_settled(shop, [each for each, _ in bought], seconds=20)


def test_an_invoice_paid_on_the_chain_cannot_be_paid_over_lightning_again(shop: Shop, pair: LightningPair, node: Node, product: str):
    bought, payment = buy_with_lightning(shop, product)

    node.pay(payment["address"], payment["amount"])
    wait_for("LND to cancel the invoice", lambda: lnd_state(pair.shop, payment["lightning"]) == "CANCELED", seconds=30)

    with pytest.raises(CliError):
        assert pair.payer.pay(payment["lightning"])["status"] == "SUCCEEDED"
        raise AssertionError("It was paid twice.")
    node.mine()
    wait_until_settled(shop, [bought])


def test_cancelling_an_order_cancels_its_lightning_invoice(shop: Shop, pair: LightningPair, product: str):
    bought, payment = buy_with_lightning(shop, product)

    assert shop.http.post(f"/api/orders/{bought.id}/cancel", headers=shop.buyer(), json={}).status_code == 200
    wait_for("LND to cancel the invoice", lambda: lnd_state(pair.shop, payment["lightning"]) == "CANCELED", seconds=30)


def test_a_lightning_payment_made_while_all_workers_were_down_is_found(shop: Shop, pair: LightningPair, product: str):
    bought, payment = buy_with_lightning(shop, product)

    with shop.without("worker"):
        assert pair.payer.pay(payment["lightning"])["status"] == "SUCCEEDED"
        time.sleep(1)
        assert invoice_status(shop, bought) == "new"
    wait_until_settled(shop, [bought])


def test_an_order_takes_less_than_two_seconds_while_lnd_hangs(shop: Shop, pair: LightningPair, product: str):
    pair.shop.freeze()
    try:
        answer = in_time("an order", lambda: order(shop, product), seconds=2)
        assert answer.status_code == 201, answer.text
        assert answer.json()["data"]["payment"]["lightning"] is None
        assert "lightning=" not in answer.json()["data"]["payment"]["uri"]
    finally:
        pair.shop.thaw()
    buy_with_lightning(shop, product)


def test_killing_lnd_after_a_payment_loses_no_money(shop: Shop, pair: LightningPair, product: str):
    bought, payment = buy_with_lightning(shop, product)
    assert pair.payer.pay(payment["lightning"])["status"] == "SUCCEEDED"
    pair.shop.kill()
    try:
        in_between = order(shop, product)
        assert in_between.status_code == 201, in_between.text
        assert in_between.json()["data"]["payment"]["lightning"] is None
    finally:
        pair.shop.start()
        pair.connect()
        pair.wait_until_usable()
    wait_until_settled(shop, [bought])
    again, request = buy_with_lightning(shop, product)
    assert pair.payer.pay(request["lightning"])["status"] == "SUCCEEDED"
    wait_until_settled(shop, [again])


def test_an_order_above_the_channel_capacity_can_only_be_paid_on_the_chain(shop: Shop):
    _, payment = payment_of(shop, stock_product(shop, stock=1, price="200000.00"))
    assert payment["lightning"] is None
    assert payment["uri"].startswith("bitcoin:")


def test_the_deploy_check_reads_the_permissions_of_lnd_macaroons(shop: Shop, pair: LightningPair):
    """The narrow ones, which all else here is done with, and the one that may do everything."""
    narrow = manage(shop, "check", "--deploy")
    shop.environment["LND_PAYOUT_MACAROON"], given = str(pair.shop.admin_macaroon), shop.environment["LND_PAYOUT_MACAROON"]
    wide = manage(shop, "check", "--deploy")
    shop.environment["LND_PAYOUT_MACAROON"] = given

    assert "MACAROON" not in "".join(narrow[1:])
    assert "LND_PAYOUT_MACAROON ALLOWS MORE THAN IT NEEDS TO: address:read, address:write, info:read" in wide[2]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"LND_MACAROON": "00ff"}, "LND refuses LND_MACAROON"),
        ({"LND_MACAROON": "/nowhere/shop.macaroon"}, "LND_MACAROON must be the path of a file"),
        ({"LND_TLS_CERT": "{payer}"}, "LND shows another certificate than LND_TLS_CERT"),
        ({"LND_HOST": "127.0.0.1:1"}, "no connection to LND_HOST"),
    ],
)
def test_wrong_lnd_settings_are_explained_in_the_log(broken: dict[str, str], says: str, pair: LightningPair, node: Node, tmp_path: Path):
    told = {name: value.replace("{payer}", str(pair.payer.certificate)) for name, value in broken.items()}
    for shop in open_shop(node, tmp_path, pair.shop.settings() | told):
        _, payment = payment_of(shop, stock_product(shop, stock=1))
        assert payment["lightning"] is None
        wait_for("the log to say it", lambda shop=shop: says in shop.said(), seconds=15)  # type: ignore[misc]
