"""Placing orders over the API."""

import uuid
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.api_keys import make_key
from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from cryptons.api.inputs import kept
from cryptons.page_holes import COOKIE as VISITOR_COOKIE
from payments.errors import NodeUnavailable, RateUnavailable
from payments.models import Invoice
from payments.networks.sandbox.network import SandboxNetwork
from shop.api.orders import GuestOrderInput, OrderInput
from shop.api.tests.api_calls import assert_error, order_body
from shop.cart.contents import cart_of
from shop.models import CartItem, Order
from shop.tests.factories import ADDRESS, CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_order_can_be_placed_for_items_without_a_cart(api, ada, kettle):
    answer = api.post("/api/orders", order_body((kettle, 2)))

    body = answer.json()["data"]
    order, invoice = Order.objects.get(), Invoice.objects.get()
    payment = body.pop("payment")
    assert (answer.status_code, body.pop("accessKey")) == (201, None)
    assert body == {
        "id": str(order.pk),
        "userId": str(ada.pk),
        "orderNumber": order.number,
        "items": [
            {
                "productId": str(kettle.pk),
                "name": "Copper Kettle",
                "sku": "KETTLE",
                "quantity": 2,
                "price": "49.99",
                "cryptocurrency": "BTC",
            }
        ],
        "subtotal": "99.98",
        "discount": "0.00",
        "voucher": None,
        "totalAmount": "99.98",
        "termsVersionId": None,
        "cryptocurrency": "BTC",
        "status": "pending",
        "paymentStatus": "unpaid",
        "transactionHash": None,
        "shippingAddress": ADDRESS,
        "createdAt": body["createdAt"],
        "updatedAt": body["updatedAt"],
    }
    assert payment["invoiceId"] == str(invoice.pk)
    assert (payment["status"], payment["network"], payment["amount"], payment["sandbox"]) == ("new", "BTC", "0.00153816", True)
    assert payment["uri"].startswith(f"bitcoin:{payment['address']}?amount=0.00153816&label=")
    assert payment["payUrl"] == f"http://127.0.0.1:8000/pay/{invoice.pk}/"
    assert set(payment) == {
        "invoiceId", "status", "network", "address", "destinationTag", "amount", "uri", "lightning", "expiresAt", "payUrl", "sandbox",
    }  # fmt: skip
    kettle.refresh_from_db()
    assert kettle.stock == 8
    assert order.email == "ada@example.com"


def test_the_answer_to_a_new_order_is_what_is_stored(api, kettle):
    """In milliseconds, because MongoDB stores no more."""
    placed = api.post("/api/orders", order_body((kettle, 2))).json()["data"]
    payment, _key = placed.pop("payment"), placed.pop("accessKey")
    assert api.get(f"/api/orders/{placed['id']}").json()["data"] == placed
    assert api.get(f"/api/orders/{placed['id']}/payment").json()["data"] == payment
    assert datetime.fromisoformat(placed["createdAt"]).microsecond % 1000 == 0


def test_an_order_costs_eleven_statements(api, kettle):
    """Three read (user, login, product), one takes the stock, seven insert."""
    api.post("/api/orders", order_body((kettle, 1)))  # the first request also reads what the process keeps
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/api/orders", order_body((kettle, 1))).status_code == 201
    statements = [query["sql"] for query in queries if not query["sql"].startswith(("BEGIN", "COMMIT", "session."))]
    assert len(statements) == 11, statements


def test_ordering_the_cart_empties_it(api, ada):
    CartItemFactory(cart=cart_of(ada), quantity=2)
    assert api.post("/api/orders", order_body()).status_code == 201
    assert not CartItem.objects.exists()


def test_ordering_items_does_not_change_the_cart(api, ada, kettle):
    CartItemFactory(cart=cart_of(ada))
    api.post("/api/orders", order_body((kettle, 1)))
    assert CartItem.objects.count() == 1


def test_ordering_an_empty_cart_is_refused(api):
    assert assert_error(api.post("/api/orders", order_body()), 400, "VALIDATION_ERROR")["message"] == "Your cart is empty."


def test_quantities_of_a_product_that_is_listed_twice_add_up(api, kettle):
    api.post("/api/orders", order_body((kettle, 1), (kettle, 2)))
    assert Order.objects.get().lines.get().quantity == 3


@pytest.mark.parametrize("coin", ["BTC", "LTC", "XRP"])
def test_an_order_can_be_paid_in_each_coin(api, kettle, coin):
    payment = api.post("/api/orders", order_body((kettle, 1), cryptocurrency=coin)).json()["data"]["payment"]
    assert payment["network"] == coin
    assert (payment["destinationTag"] is not None) == (coin == "XRP")


def test_the_price_comes_from_the_shop_and_not_from_the_client(api, kettle):
    item = {"productId": str(kettle.pk), "quantity": 1, "price": "0.01"}
    assert_error(api.post("/api/orders", order_body(items=[item])), 400, "VALIDATION_ERROR")
    assert not Order.objects.exists()


def test_ordering_more_than_the_stock_is_refused(api, kettle):
    error = assert_error(api.post("/api/orders", order_body((kettle, 11))), 409, "INSUFFICIENT_STOCK")
    assert error["message"] == "Only 10 of Copper Kettle are left."
    assert error["details"] == [{"field": f"items.{kettle.pk}", "message": "Only 10 of Copper Kettle are left."}]
    assert not Order.objects.exists()


def test_ordering_an_unknown_product_is_not_found(api, kettle):
    ghost = ProductFactory.build()
    assert assert_error(api.post("/api/orders", order_body((kettle, 1), (ghost, 1))), 404, "NOT_FOUND")["message"] == "Product not found"


def test_ordering_with_a_coin_that_the_shop_does_not_take_is_refused_and_names_those_that_it_takes(api, kettle, settings):
    settings.XRP_URL = "http://127.0.0.1:9"
    error = assert_error(api.post("/api/orders", order_body((kettle, 1))), 503, "SERVICE_UNAVAILABLE")
    assert error["message"] == "This shop does not take Bitcoin. It takes: XRP."


def test_ordering_where_no_payment_is_taken_says_so(api, kettle, settings):
    settings.SANDBOX = False
    error = assert_error(api.post("/api/orders", order_body((kettle, 1))), 503, "SERVICE_UNAVAILABLE")
    assert error["message"] == "This shop does not take Bitcoin. It takes no payments at the moment."


@pytest.mark.parametrize("error", [NodeUnavailable("away"), RateUnavailable("no rate")])
def test_the_cart_stays_unchanged_when_the_node_is_down(api, ada, monkeypatch, error):
    CartItemFactory(cart=cart_of(ada))

    def fail(self, request):
        raise error

    monkeypatch.setattr(SandboxNetwork, "open_destination", fail)
    assert_error(api.post("/api/orders", order_body()), 503, "SERVICE_UNAVAILABLE")
    assert CartItem.objects.exists()
    assert not Order.objects.exists()


@pytest.mark.parametrize("quantity", [0, -1, 1.5, 10**12, "1", True, None, "\x00", "😀", "‮", {"$ne": None}, 2**63])
def test_ordering_an_invalid_quantity_is_refused(api, kettle, quantity):
    error = assert_error(api.post("/api/orders", order_body((kettle, quantity))), 400, "VALIDATION_ERROR")
    assert [row["field"] for row in error["details"]] == ["items.0.quantity"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cryptocurrency": "DOGE"}, "cryptocurrency"),
        ({"cryptocurrency": {"$ne": None}}, "cryptocurrency"),
        ({"cryptocurrency": "BTC-LN"}, "cryptocurrency"),
        ({"items": []}, "items"),
        ({"items": "all"}, "items"),
        ({"items": [None]}, "items.0"),
        ({"items": [{"productId": str(uuid.uuid4()), "quantity": 1}] * 101}, "items"),
        ({"total": "0.01"}, "total"),
        ({"status": "delivered"}, "status"),
        ({"shippingAddress": None}, "shippingAddress"),
        ({"shippingAddress": "London"}, "shippingAddress"),
        ({"shippingAddress": {**ADDRESS, "country": "XX"}}, "shippingAddress.country"),
        ({"shippingAddress": {**ADDRESS, "planet": "Mars"}}, "shippingAddress.planet"),
        ({"shippingAddress": {**ADDRESS, "name": {"$ne": None}}}, "shippingAddress.name"),
        ({"shippingAddress": {**ADDRESS, "name": "a\x00b"}}, "shippingAddress.name"),
        ({"shippingAddress": {**ADDRESS, "city": "x" * 81}}, "shippingAddress.city"),
        ({"shippingAddress": {**ADDRESS, "street": " "}}, "shippingAddress.street"),
    ],
)
def test_the_error_names_the_field_with_an_invalid_value(api, kettle, change, field):
    error = assert_error(api.post("/api/orders", {**order_body((kettle, 1)), **change}), 400, "VALIDATION_ERROR")
    assert {row["field"] for row in error["details"]} == {field}
    assert not Order.objects.exists()


@pytest.mark.parametrize("missing", ["cryptocurrency", "shippingAddress"])
def test_the_error_names_a_missing_field(api, kettle, missing):
    body = order_body((kettle, 1))
    del body[missing]
    assert assert_error(api.post("/api/orders", body), 400, "VALIDATION_ERROR")["details"][0]["field"] == missing


def test_control_characters_and_links_in_an_address_have_a_row_for_each_field(api, kettle):
    address = {**ADDRESS, "name": "a\nb", "city": "www.evil.example", "region": "\u202ex"}
    rows = assert_error(api.post("/api/orders", order_body((kettle, 1), shippingAddress=address)), 400, "VALIDATION_ERROR")["details"]
    assert {row["field"]: row["message"] for row in rows} == {
        "shippingAddress.name": "Must be one line of text, without control characters.",
        "shippingAddress.city": "Must not contain a link.",
        "shippingAddress.region": "Must be one line of text, without control characters.",
    }


def test_the_shipping_address_is_stored_as_typed(api, kettle):
    name = "O'Neil <b>Søn</b> 👩‍🚀 ע"
    api.post("/api/orders", order_body((kettle, 1), shippingAddress={**ADDRESS, "name": name}))
    assert Order.objects.get().shipping_address["name"] == name


def test_repeating_a_request_with_the_same_key_returns_the_same_order(api, kettle):
    key = {"Idempotency-Key": "one"}
    first = api.post("/api/orders", order_body((kettle, 1)), headers=key)
    again = api.post("/api/orders", order_body((kettle, 1)), headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert Order.objects.count() == 1
    assert_error(api.post("/api/orders", order_body((kettle, 2)), headers=key), 422, "IDEMPOTENCY_MISMATCH")


@pytest.mark.parametrize("kind", [OrderInput, GuestOrderInput])
def test_the_kept_input_reads_each_order_as_a_new_one_does(kind):
    for number in (1, 2):
        body = {"email": f"{number}@example.com", "cryptocurrency": "BTC", "shippingAddress": {**ADDRESS, "street2": ""}}
        body["items"] = [{"productId": str(uuid.uuid4()), "quantity": number}]
        new = kind(data=body)
        assert new.is_valid()
        assert kept(kind).run_validation(body) == new.validated_data


def test_a_program_orders_as_a_guest_does(kettle):
    key = make_key(StaffFactory(), "ERP", ["orders:write"])[1]
    program = ApiClient(HTTP_AUTHORIZATION=f"Bearer {key}")
    missing = program.post("/api/orders", order_body((kettle, 1)))
    assert [row["field"] for row in missing.json()["error"]["details"]] == ["email"]
    placed = program.post("/api/orders", {**order_body((kettle, 1)), "email": "ada@example.com"})
    assert placed.status_code == 201
    order = Order.objects.get()
    assert (order.user, order.email) == (None, "ada@example.com")
    assert placed.json()["data"]["accessKey"]


def test_a_program_orders_in_a_browser_in_which_somebody_is_logged_in(kettle):
    """The description of the API is a page of the shop, so what it sends has the cookies of the session."""
    key = make_key(StaffFactory(), "ERP", ["orders:write"])[1]
    program = ApiClient(HTTP_AUTHORIZATION=f"Bearer {key}")
    program.force_login(UserFactory())
    placed = program.post("/api/orders", {**order_body((kettle, 1)), "email": "ada@example.com"})
    assert placed.status_code == 201
    assert Order.objects.get().user is None
    assert VISITOR_COOKIE not in placed.cookies
