"""Orders that are paid in XRP through a server of the ledger, a fake one, and one that is away or hangs."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fake_rippled import PARTIAL, SHOP, FakeRippled
from tests.running import PATIENCE, Shop, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import (
    Bought,
    buy,
    confirmations_mailed,
    invoice_status,
    order,
    read_order,
    stock_of,
    stock_product,
    wait_until_settled,
)
from tests.stack.conftest import open_shop


@pytest.fixture(scope="module")
def xrpl() -> Iterator[FakeRippled]:
    fake = FakeRippled()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def shop(node: Node, xrpl: FakeRippled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """It takes Bitcoin, too."""
    settings = {"XRP_URL": xrpl.url, "XRP_ADDRESS": SHOP, "RATES": "fixed:BTC=65000.00,XRP=0.50", "NODE_TIMEOUT_SECONDS": str(2 * PATIENCE)}
    yield from open_shop(node, tmp_path_factory.mktemp("xrp-shop"), settings)


@pytest.fixture(scope="module")
def product(shop: Shop) -> str:
    """At 20.00, which is 40 XRP."""
    return stock_product(shop, stock=1000)


@pytest.fixture(autouse=True)
def _a_server_that_is_well(xrpl: FakeRippled) -> Iterator[None]:
    yield
    xrpl.fault = ""


def buy_in_xrp(shop: Shop, product: str) -> tuple[Bought, dict[str, Any]]:
    bought = buy(shop, product, coin="XRP")
    return bought, dict(shop.get(f"/api/orders/{bought.id}/payment", headers=shop.buyer()))


def pay(xrpl: FakeRippled, payment: dict[str, Any], **more: Any) -> str:
    """The transaction's hash."""
    assert payment["amount"] == "40.000000"
    return xrpl.pay(payment["address"], 40_000_000, tag=int(payment["destinationTag"]), **more)


def test_an_xrp_order_is_paid_when_the_ledger_of_its_payment_is_validated(shop: Shop, xrpl: FakeRippled, product: str):
    before = stock_of(shop, product)
    bought, payment = buy_in_xrp(shop, product)
    page = shop.http.get(urlsplit(payment["payUrl"]).path).text
    assert payment["uri"] == f"xrpl://{SHOP}?dt={payment['destinationTag']}&amount=40"
    assert payment["uri"].replace("&", "&amp;") in page
    assert f'id="pay-tag">{payment["destinationTag"]}<' in page

    paid = pay(xrpl, payment)
    wait_until_settled(shop, [bought])

    settled = read_order(shop, bought)
    assert (settled["status"], settled["paymentStatus"], settled["transactionHash"]) == ("processing", "paid", paid)
    assert stock_of(shop, product) == before - 1
    wait_for("the mail", lambda: confirmations_mailed(shop)[bought.number] == 1)


def test_a_partial_xrp_payment_counts_only_what_it_delivers(shop: Shop, xrpl: FakeRippled, product: str):
    bought, payment = buy_in_xrp(shop, product)

    pay(xrpl, payment, flags=PARTIAL, delivered=1_000_000)

    wait_for("the part to be seen", lambda: shop.get(f"/api/invoices/{bought.invoice}")["paid"] == "0.50")
    assert invoice_status(shop, bought) == "new"
    assert shop.get(f"/api/invoices/{bought.invoice}")["amountRemaining"] == "39.000000"


def test_xrp_payments_made_while_the_worker_was_down_are_found(shop: Shop, xrpl: FakeRippled, product: str):
    orders = [buy_in_xrp(shop, product) for _ in range(5)]
    with shop.without("worker"):
        for _, payment in orders:
            pay(xrpl, payment)
        xrpl.close_ledger(20)
        assert {invoice_status(shop, bought) for bought, _ in orders} == {"new"}
    wait_until_settled(shop, [bought for bought, _ in orders])


def test_bitcoin_stays_available_while_rippled_is_down_and_its_payments_are_found(shop: Shop, xrpl: FakeRippled, product: str):
    bought, payment = buy_in_xrp(shop, product)
    with xrpl.away():
        pay(xrpl, payment)
        refused = order(shop, product, coin="XRP")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert order(shop, product, coin="BTC").status_code == 201
        assert shop.http.get("/").status_code == 200
    wait_until_settled(shop, [bought])
    wait_for("XRP to be taken again", lambda: order(shop, product, coin="XRP").status_code == 201)


@pytest.mark.parametrize("fault", ["hang", "503", "slowDown", "noNetwork", "garbage"])
def test_a_faulty_rippled_stops_only_xrp(shop: Shop, xrpl: FakeRippled, product: str, fault: str):
    bought, payment = buy_in_xrp(shop, product)
    xrpl.fault = fault

    pay(xrpl, payment)
    assert order(shop, product, coin="XRP").status_code == 503
    assert order(shop, product, coin="BTC").status_code == 201

    xrpl.fault = ""
    wait_until_settled(shop, [bought])


def test_an_xrp_payment_without_a_tag_is_logged(shop: Shop, xrpl: FakeRippled):
    paid = xrpl.pay(SHOP, 40_000_000)
    wait_for("the log to say it", lambda: paid in shop.said())
