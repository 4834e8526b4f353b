"""What buyers and staff do over the API in these tests."""

import secrets
from dataclasses import dataclass
from decimal import Decimal
from email import message_from_bytes
from email.policy import default
from typing import Any

import httpx

from tests.running import Shop, wait_for

ADDRESS = {"name": "A. Buyer", "street": "1 Test Road", "city": "Testing", "postalCode": "12345", "country": "DE"}


@dataclass(frozen=True)
class Bought:
    """An order that waits for its money."""

    id: str
    email: str
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


def order(shop: Shop, product: str, *, email: str = "buyer@example.com", quantity: int = 1) -> httpx.Response:
    """The answer to a guest's order in BTC, whatever it is."""
    return shop.http.post(
        "/api/orders",
        json={
            "email": email,
            "cryptocurrency": "BTC",
            "items": [{"productId": product, "quantity": quantity}],
            "shippingAddress": ADDRESS,
        },
    )


def buy(shop: Shop, product: str) -> Bought:
    email = f"buyer-{secrets.token_hex(6)}@example.com"
    answer = order(shop, product, email=email)
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    payment = data["payment"]
    assert Decimal(payment["amount"]) > 0
    return Bought(
        id=data["id"],
        email=email,
        invoice=payment["invoiceId"],
        address=payment["address"],
        amount=payment["amount"],
    )


def invoice_status(shop: Shop, bought: Bought) -> str:
    return str(shop.get(f"/api/invoices/{bought.invoice}")["status"])


def wait_until_settled(shop: Shop, orders: list[Bought], *, seconds: float = 60) -> None:
    open_ones = list(orders)

    def all_settled() -> bool:
        open_ones[:] = [each for each in open_ones if invoice_status(shop, each) != "settled"]
        return not open_ones

    wait_for(f"{len(orders)} invoices to settle", all_settled, seconds=seconds)


def read_order(shop: Shop, bought: Bought, staff: dict[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = shop.get(f"/api/orders/{bought.id}", headers=staff)
    return data


def stock_of(shop: Shop, product: str) -> int:
    return int(shop.get(f"/api/products/{product}")["stock"])


def confirmations_mailed(shop: Shop, bought: Bought) -> int:
    """Files that tell this buyer that the payment is confirmed."""
    count = 0
    for file in (shop.data / "mail").glob("*.eml"):
        message = message_from_bytes(file.read_bytes(), policy=default)
        if message["To"] == bought.email and "confirmed" in str(message["Subject"]).lower():
            count += 1
    return count
