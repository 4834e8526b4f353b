"""What buyers and staff do over the API in these tests."""

import functools
import html
import re
import secrets
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
import pymongo

from tests.running import LONGEST, STAFF, Shop, wait_for
from tests.stack.bitcoind import Node

ADDRESS = {"name": "A. Buyer", "street": "1 Test Road", "city": "Testing", "postalCode": "12345", "country": "DE"}


@dataclass(frozen=True)
class Bought:
    """An order that waits for its money."""

    id: str
    number: str
    invoice: str
    address: str
    amount: str


def stock_product(shop: Shop, *, stock: int, price: str = "20.00") -> str:
    """The id of a new product; cheap enough to be safe after one confirmation."""
    staff = shop.staff()
    token = secrets.token_hex(4)
    category = shop.http.post("/api/categories", headers=staff, json={"name": f"Things {token}"})
    assert category.status_code == 201, category.text
    product = shop.http.post(
        "/api/products",
        headers=staff,
        json={
            "name": f"Thing {token}",
            "sku": f"THING-{token}",
            "description": "A thing.",
            "price": price,
            "category": category.json()["data"]["id"],
            "stock": stock,
        },
    )
    assert product.status_code == 201, product.text
    return str(product.json()["data"]["id"])


def order(shop: Shop, product: str, *, quantity: int = 1, coin: str = "BTC") -> httpx.Response:
    """The answer to an order, also a refusal."""
    return shop.http.post(
        "/api/orders",
        headers=shop.buyer(),
        json={"cryptocurrency": coin, "items": [{"productId": product, "quantity": quantity}], "shippingAddress": ADDRESS},
    )


def order_at_once_without_wallet(shop: Shop, node: Node, product: str) -> None:
    """Eight buyers order while the node has not loaded the shop's wallet, and all get their order.

    Where the node takes longer to load it than orders wait, buyers are told so, and the eight order again.
    """

    def reason(_: int) -> str:
        answer = order(shop, product, coin=node.code)
        return "" if answer.status_code == 201 else str(answer.json()["error"]["message"])

    def all_were_taken() -> bool:
        node.call("unloadwallet", node.watching)
        with ThreadPoolExecutor(8) as buyers:
            reasons = set(buyers.map(reason, range(8)))
        assert [each for each in reasons if each and "is still loading its wallet" not in each] == []
        return reasons == {""}

    shop.buyer()
    wait_for("eight orders at once", all_were_taken)


def buy(shop: Shop, product: str, *, coin: str = "BTC") -> Bought:
    answer = order(shop, product, coin=coin)
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    payment = data["payment"]
    assert Decimal(payment["amount"]) > 0
    return Bought(data["id"], data["orderNumber"], payment["invoiceId"], payment["address"], payment["amount"])


def buy_as_a_guest(shop: Shop, product: str, *, coin: str = "BTC") -> tuple[str, httpx.Client]:
    """The pay page's path and the browser that may see it: cart, address, coin, as the pages ask for them."""
    second, browser = choose_a_coin(shop, product)
    third = browser.post("/checkout/payment/", data={**hidden(second), "network": coin})
    assert third.url.path.startswith("/pay/"), third.text
    return str(third.url.raw_path.decode()), browser


def buy_with_lightning(shop: Shop, product: str) -> tuple[Bought, dict[str, Any]]:
    """An order that can be paid over Lightning, and how. The first may not: orders wait only a moment for LND, which may be busy."""

    def look() -> tuple[Bought, dict[str, Any]] | None:
        bought = buy(shop, product)
        payment = shop.get(f"/api/orders/{bought.id}/payment", headers=shop.buyer())
        return (bought, payment) if payment["lightning"] else None

    offered = wait_for("Lightning to be offered", look)
    assert offered is not None
    return offered


def choose_a_coin(shop: Shop, product: str) -> tuple[httpx.Response, httpx.Client]:
    """The page that asks a guest how to pay."""
    browser = httpx.Client(base_url=shop.url, follow_redirects=True, timeout=LONGEST)
    added = browser.post("/cart/add/", data={"product": product, "quantity": "1"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert added.status_code == 200, added.text
    first = browser.get("/checkout/")
    second = browser.post("/checkout/", data={**hidden(first), **ADDRESS, "email": "guest@example.com"})
    assert second.url.path == "/checkout/payment/", second.text
    return second, browser


def staff_browser(shop: Shop) -> httpx.Client:
    """A browser that is logged in as staff."""
    browser = httpx.Client(base_url=shop.url, follow_redirects=True, timeout=LONGEST)
    form = hidden(browser.get("/account/login/"))
    browser.post("/account/login/", data={**form, "name": STAFF["username"], "password": STAFF["password"]})
    return browser


def hidden(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of the page's forms."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in fields}


def invoice_status(shop: Shop, bought: Bought) -> str:
    return str(shop.get(f"/api/invoices/{bought.invoice}")["status"])


def wait_until_settled(shop: Shop, orders: list[Bought], *, seconds: float = 60) -> None:
    open_ones = list(orders)

    def all_settled() -> bool:
        open_ones[:] = [each for each in open_ones if invoice_status(shop, each) != "settled"]
        return not open_ones

    wait_for(f"{len(orders)} invoices to settle", all_settled, seconds=seconds)


def invoice_of(shop: Shop, bought: Bought) -> dict[str, Any]:
    return dict(shop.get(f"/api/invoices/{bought.invoice}"))


def standing(shop: Shop, bought: Bought) -> tuple[str, list[str]]:
    invoice = invoice_of(shop, bought)
    return invoice["status"], invoice["flags"]


def wait_until(shop: Shop, bought: Bought, status: str, *flags: str) -> None:
    deadline = time.monotonic() + LONGEST
    while (seen := standing(shop, bought)) != (status, sorted(flags)):
        assert time.monotonic() < deadline, f"It is {seen}, not {status} {flags}."
        time.sleep(0.1)


def paid_in_dollars(shop: Shop, bought: Bought) -> Decimal:
    return Decimal(invoice_of(shop, bought)["paid"])


def read_order(shop: Shop, bought: Bought) -> dict[str, Any]:
    data: dict[str, Any] = shop.get(f"/api/orders/{bought.id}", headers=shop.buyer())
    return data


def stock_of(shop: Shop, product: str) -> int:
    return int(shop.get(f"/api/products/{product}")["stock"])


def subjects_mailed(shop: Shop) -> list[str]:
    return [_subject(file, file.stat().st_size) for file in (shop.data / "mail").glob("*.eml")]


@functools.cache
def _subject(file: Path, size: int) -> str:
    """Parsed once for each size: thousands of mails are looked at again and again until the last is there."""
    return str(BytesHeaderParser(policy=default).parsebytes(file.read_bytes().partition(b"\n\n")[0])["Subject"])


def confirmations_mailed(shop: Shop) -> Counter[str]:
    """How many mails tell that an order's payment is confirmed, by the order's number."""
    told: Counter[str] = Counter()
    for subject in subjects_mailed(shop):
        if match := re.fullmatch(r"Your payment for order (\S+) is confirmed", subject):
            told[match[1]] += 1
    return told


def let_expire(shop: Shop, invoice: str, moment: datetime | None = None) -> None:
    """Its time is up now, or was at that moment."""
    at, key = moment or datetime.now(UTC), invoice.replace("-", "")
    if (url := shop.environment.get("DATABASE_URL")) is not None:
        with pymongo.MongoClient[dict[str, Any]](url) as server:
            database = server.get_default_database()
            changed = database["payments_invoice"].update_one({"id": key}, {"$set": {"expires_at": at}}).matched_count
            database["payments_option"].update_many({"invoice_id": key}, {"$set": {"expires_at": at}})
    else:
        with sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST) as rows:
            values = [f"{at:%Y-%m-%d %H:%M:%S.%f}", key]
            changed = rows.execute("update payments_invoice set expires_at = ? where id = ?", values).rowcount
            rows.execute("update payments_option set expires_at = ? where invoice_id = ?", values)
    assert changed == 1


def let_hold_end(shop: Shop, invoice: str) -> None:
    """The quote is over, and its unconfirmed payment has held rate and stock for as long as it may."""
    let_expire(shop, invoice)
    at, key = datetime.now(UTC), invoice.replace("-", "")
    if (url := shop.environment.get("DATABASE_URL")) is not None:
        with pymongo.MongoClient[dict[str, Any]](url) as server:
            payments = server.get_default_database()["payments_payment"]
            changed = payments.update_one({"invoice_id": key, "held_until": {"$ne": None}}, {"$set": {"held_until": at}}).matched_count
    else:
        with sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST) as rows:
            values = [f"{at:%Y-%m-%d %H:%M:%S.%f}", key]
            held = "update payments_payment set held_until = ? where invoice_id = ? and held_until is not null"
            changed = rows.execute(held, values).rowcount
    assert changed == 1


def settled_events(shop: Shop, invoice: str) -> int:
    """How often the log says that it settled."""
    wanted = {"type": "invoice.settled", "subject_id": invoice.replace("-", "")}
    if (url := shop.environment.get("DATABASE_URL")) is not None:
        with pymongo.MongoClient[dict[str, Any]](url) as server:
            return server.get_default_database()["events_event"].count_documents(wanted)
    with sqlite3.connect(shop.data / "cryptons.sqlite3") as database:
        found = database.execute("select count(*) from events_event where type = :type and subject_id = :subject_id", wanted)
        return int(found.fetchone()[0])
