"""What an order would cost, over the API: POST /checkout/quote."""

import pytest
from django.utils import timezone

from accounts.tests.factories import ApiClient
from payments.models import Cursor, Invoice
from shop.api.tests.api_calls import assert_error
from shop.models import Cart, Order, Product
from shop.tests.factories import ADDRESS, CartItemFactory, ProductFactory
from tests.matrix.state import tables

pytestmark = pytest.mark.django_db

QUOTE = "/api/checkout/quote"


def items(*lines):
    return {"items": [{"productId": str(product.pk), "quantity": quantity} for product, quantity in lines]}


def test_a_guest_is_told_the_total_and_the_amount_in_each_coin():
    kettle = ProductFactory(name="Copper Kettle", sku="KET-1", price_minor=3_250)

    answer = ApiClient().post(QUOTE, items((kettle, 1), (kettle, 1)))

    data = answer.json()["data"]
    line = {"productId": str(kettle.pk), "name": "Copper Kettle", "sku": "KET-1", "quantity": 2, "price": "32.50", "total": "65.00"}
    assert (answer.status_code, data["items"], data["totalAmount"], data["currency"]) == (200, [line], "65.00", "USD")
    told = {row["network"]: (row["cryptocurrency"], row["amount"], row["rate"], row["problem"]) for row in data["amounts"]}
    assert told == {
        "BTC": ("BTC", "0.00100000", "65000.00", None),
        "LTC": ("LTC", "0.81250000", "80.00", None),
        "XRP": ("XRP", "118.181819", "0.55", None),
    }
    assert answer["Cache-Control"] == "no-store"


def test_the_amount_is_the_one_that_an_order_then_asks_for(api, kettle):
    body = {**items((kettle, 3)), "cryptocurrency": "XRP", "shippingAddress": ADDRESS}
    quoted = api.post(QUOTE, body).json()["data"]

    payment = api.post("/api/orders", body).json()["data"]["payment"]

    assert [row["amount"] for row in quoted["amounts"]] == [payment["amount"]]


def test_a_user_without_items_is_quoted_the_cart_which_stays(api, ada):
    cart = Cart.objects.create(user=ada)
    CartItemFactory(cart=cart, product=ProductFactory(price_minor=1_000), quantity=2)

    assert api.post(QUOTE, {}).json()["data"]["totalAmount"] == "20.00"
    assert cart.items.count() == 1


def test_a_quote_writes_nothing(api, kettle):
    before = tables()

    assert api.post(QUOTE, items((kettle, 5))).status_code == 200
    assert_error(api.post(QUOTE, {}), 400, "VALIDATION_ERROR")  # no cart

    assert tables() == before
    assert not Order.objects.exists()
    assert not Invoice.objects.exists()
    assert Product.objects.get().stock == kettle.stock


def test_too_few_are_named_as_for_an_order(api, kettle):
    error = assert_error(api.post(QUOTE, items((kettle, 11))), 409, "INSUFFICIENT_STOCK")
    assert error["details"] == [{"field": f"items.{kettle.pk}", "message": "Only 10 of Copper Kettle are left."}]


def test_what_cannot_be_ordered_is_not_quoted(api):
    assert_error(api.post(QUOTE, items((ProductFactory(is_listed=False), 1))), 404, "NOT_FOUND")
    too_much = ProductFactory(price_minor=10**15)
    assert_error(api.post(QUOTE, items((too_much, 2))), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "items"),
        ({"items": []}, "items"),
        ({"items": [{"productId": "x", "quantity": 1}]}, "items.0.productId"),
        ({"coupon": "SPRING"}, "coupon"),
        ({"cryptocurrency": "DOGE"}, "cryptocurrency"),
        ({"shippingAddress": {"name": "Ada"}}, "shippingAddress.street"),
    ],
)
def test_the_error_names_what_is_wrong(kettle, body, field):
    error = assert_error(
        ApiClient().post(QUOTE, {**(items((kettle, 1)) if body and "items" not in body else {}), **body}), 400, "VALIDATION_ERROR"
    )
    assert field in [row["field"] for row in error["details"]]


def test_a_network_that_cannot_be_used_now_says_why(api, settings):
    settings.FIXED_RATES = {coin: rate for coin, rate in settings.FIXED_RATES.items() if coin != "LTC"}
    Cursor.objects.create(network="XRP", failing_since=timezone.now())
    cheap = ProductFactory(price_minor=1)

    rows = {row["network"]: row for row in api.post(QUOTE, items((cheap, 1))).json()["data"]["amounts"]}

    assert (rows["BTC"]["amount"], "too small" in rows["BTC"]["problem"]) == ("0.00000016", True)
    assert (rows["LTC"]["amount"], rows["LTC"]["rate"], "no current price" in rows["LTC"]["problem"]) == (None, None, True)
    assert "cannot be reached" in rows["XRP"]["problem"]


def test_a_coin_that_the_shop_does_not_take_is_not_quoted(api, kettle, settings):
    settings.XRP_URL = "http://127.0.0.1:9"
    error = assert_error(api.post(QUOTE, {**items((kettle, 1)), "cryptocurrency": "BTC"}), 503, "SERVICE_UNAVAILABLE")
    assert error["message"] == "This shop does not take Bitcoin. It takes: XRP."


def test_quotes_are_counted_like_every_request(kettle, settings):
    settings.RATE_LIMIT_API = "2/minute"
    answers = [ApiClient().post(QUOTE, items((kettle, 1))).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
