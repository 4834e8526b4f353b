"""Orders over the API: placing, reading, moving, cancelling."""

import uuid

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from cryptons.api.limits import forget_counts
from payments.errors import NodeUnavailable, RateUnavailable
from payments.models import Invoice
from payments.networks.sandbox.network import SandboxNetwork
from shop.cart.contents import cart_of
from shop.models import CartItem, Order, Product
from shop.tests.factories import ADDRESS, NOW, CartItemFactory, OrderFactory, OrderLineFactory, ProductFactory
from shop.tests.paying import pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _generous_limits(settings):
    settings.RATE_LIMIT_API = "10000/minute"
    forget_counts()


@pytest.fixture
def ada():
    return UserFactory(username="ada", email="ada@example.com")


@pytest.fixture
def api(ada):
    return ApiClient(ada)


@pytest.fixture
def kettle():
    return ProductFactory(sku="KETTLE")


def wanted(*items, **more):
    rows = [{"productId": str(product.pk), "quantity": quantity} for product, quantity in items]
    return {**({"items": rows} if rows else {}), "cryptocurrency": "BTC", "shippingAddress": ADDRESS, **more}


def put(api, path, body):
    return api.put(path, body, content_type="application/json")


def refused(response, status, code):
    body = response.json()
    assert (response.status_code, body["success"], body["error"]["code"]) == (status, False, code), body
    return body["error"]


def test_an_order_can_be_placed_for_items_without_a_cart(api, ada, kettle):
    answer = api.post("/api/orders", wanted((kettle, 2)))

    body = answer.json()["data"]
    order, invoice = Order.objects.get(), Invoice.objects.get()
    payment = body.pop("payment")
    assert answer.status_code == 201
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
        "totalAmount": "99.98",
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


def test_an_order_of_the_cart_empties_it(api, ada):
    CartItemFactory(cart=cart_of(ada), quantity=2)
    assert api.post("/api/orders", wanted()).status_code == 201
    assert not CartItem.objects.exists()


def test_an_order_of_items_leaves_the_cart_alone(api, ada, kettle):
    CartItemFactory(cart=cart_of(ada))
    api.post("/api/orders", wanted((kettle, 1)))
    assert CartItem.objects.count() == 1


def test_an_order_of_an_empty_cart_is_refused(api):
    assert refused(api.post("/api/orders", wanted()), 400, "VALIDATION_ERROR")["message"] == "Your cart is empty."


def test_the_same_product_twice_adds_up(api, kettle):
    api.post("/api/orders", wanted((kettle, 1), (kettle, 2)))
    assert Order.objects.get().lines.get().quantity == 3


@pytest.mark.parametrize("coin", ["BTC", "LTC", "XRP"])
def test_each_coin_can_be_paid_in(api, kettle, coin):
    payment = api.post("/api/orders", wanted((kettle, 1), cryptocurrency=coin)).json()["data"]["payment"]
    assert payment["network"] == coin
    assert (payment["destinationTag"] is not None) == (coin == "XRP")


def test_the_price_comes_from_the_shop_and_not_from_the_client(api, kettle):
    item = {"productId": str(kettle.pk), "quantity": 1, "price": "0.01"}
    refused(api.post("/api/orders", wanted(items=[item])), 400, "VALIDATION_ERROR")
    assert not Order.objects.exists()


def test_more_than_the_stock_is_refused(api, kettle):
    error = refused(api.post("/api/orders", wanted((kettle, 11))), 409, "INSUFFICIENT_STOCK")
    assert error["message"] == "Only 10 of Copper Kettle are left."
    assert not Order.objects.exists()


def test_an_unknown_product_is_not_found(api, kettle):
    ghost = ProductFactory.build()
    assert refused(api.post("/api/orders", wanted((kettle, 1), (ghost, 1))), 404, "NOT_FOUND")["message"] == "Product not found"


def test_a_coin_that_the_shop_does_not_take_now_is_unavailable(api, kettle, settings):
    settings.SANDBOX = False
    refused(api.post("/api/orders", wanted((kettle, 1))), 503, "SERVICE_UNAVAILABLE")


@pytest.mark.parametrize("error", [NodeUnavailable("away"), RateUnavailable("no rate")])
def test_a_node_that_is_away_leaves_the_cart_as_it_was(api, ada, monkeypatch, error):
    CartItemFactory(cart=cart_of(ada))

    def fail(self, request):
        raise error

    monkeypatch.setattr(SandboxNetwork, "open_destination", fail)
    refused(api.post("/api/orders", wanted()), 503, "SERVICE_UNAVAILABLE")
    assert CartItem.objects.exists()
    assert not Order.objects.exists()


@pytest.mark.parametrize("quantity", [0, -1, 1.5, 10**12, "1", True, None, "\x00", "😀", "‮", {"$ne": None}, 2**63])
def test_an_invalid_quantity_is_refused(api, kettle, quantity):
    error = refused(api.post("/api/orders", wanted((kettle, quantity))), 400, "VALIDATION_ERROR")
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
def test_an_invalid_value_names_its_field(api, kettle, change, field):
    error = refused(api.post("/api/orders", {**wanted((kettle, 1)), **change}), 400, "VALIDATION_ERROR")
    assert {row["field"] for row in error["details"]} == {field}
    assert not Order.objects.exists()


@pytest.mark.parametrize("missing", ["cryptocurrency", "shippingAddress"])
def test_a_missing_field_is_named(api, kettle, missing):
    body = wanted((kettle, 1))
    del body[missing]
    assert refused(api.post("/api/orders", body), 400, "VALIDATION_ERROR")["details"][0]["field"] == missing


def test_text_is_stored_as_typed(api, kettle):
    name = "O'Neil <b>Søn</b> 😀 ‮"
    api.post("/api/orders", wanted((kettle, 1), shippingAddress={**ADDRESS, "name": name}))
    assert Order.objects.get().shipping_address["name"] == name


def test_the_same_key_again_is_the_same_order(api, kettle):
    key = {"Idempotency-Key": "one"}
    first = api.post("/api/orders", wanted((kettle, 1)), headers=key)
    again = api.post("/api/orders", wanted((kettle, 1)), headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert Order.objects.count() == 1
    refused(api.post("/api/orders", wanted((kettle, 2)), headers=key), 422, "IDEMPOTENCY_MISMATCH")


def test_users_see_their_own_orders_newest_first(api, ada):
    old = OrderFactory(user=ada)
    new = OrderFactory(user=ada, created_at=NOW.replace(hour=13))
    OrderFactory(user=UserFactory())
    OrderFactory()

    body = api.get("/api/orders").json()

    assert [row["id"] for row in body["data"]] == [str(new.pk), str(old.pk)]
    assert body["meta"] == {"page": 1, "limit": 20, "total": 2}


def test_a_list_costs_the_same_however_long_it_is(api, ada, django_assert_max_num_queries):
    for _ in range(10):
        OrderLineFactory(order__user=ada)
    api.get("/api/orders")
    with django_assert_max_num_queries(4):
        assert len(api.get("/api/orders").json()["data"]) == 10


def test_staff_see_the_orders_of_all_users(ada):
    OrderFactory(user=ada)
    OrderFactory()
    api = ApiClient(StaffFactory())
    assert api.get("/api/orders").json()["meta"]["total"] == 0
    assert api.get("/api/orders?all=true").json()["meta"]["total"] == 2


def test_users_do_not_see_the_orders_of_others(api):
    refused(api.get("/api/orders?all=true"), 403, "FORBIDDEN")
    refused(api.get("/api/orders?all=maybe"), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("method, path", [("GET", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/payment")])
def test_the_order_of_another_user_is_not_found(api, method, path):
    theirs = OrderFactory(user=UserFactory())
    refused(api.generic(method, f"/api/orders/{theirs.pk}{path}", "{}" if method == "POST" else ""), 404, "NOT_FOUND")


@pytest.mark.parametrize("order_id", ["nonsense", "00000000-0000-7000-8000-000000000000", "%00", "😀"])
def test_an_order_that_is_not_there_is_not_found(api, order_id):
    assert refused(api.get(f"/api/orders/{order_id}"), 404, "NOT_FOUND")["message"] == "Order not found"


def test_staff_read_any_order(ada):
    order = OrderFactory(user=ada)
    assert ApiClient(StaffFactory()).get(f"/api/orders/{order.pk}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("POST", ""), ("GET", "/x"), ("PUT", "/x/status"), ("POST", "/x/cancel"), ("GET", "/x/events"), ("GET", "/x/payment")],
)
def test_orders_need_a_login(method, path):
    refused(ApiClient().generic(method, f"/api/orders{path}", "{}"), 401, "UNAUTHORIZED")


def test_staff_take_an_order_through_its_life(ada):
    order, api = placed(user=ada), ApiClient(StaffFactory(username="grace"))
    for status in ("processing", "shipped", "delivered"):
        assert put(api, f"/api/orders/{order.pk}/status", {"status": status}).json()["data"]["status"] == status
    refused(put(api, f"/api/orders/{order.pk}/status", {"status": "cancelled"}), 409, "ILLEGAL_TRANSITION")


def test_staff_who_cancel_put_the_stock_back(ada):
    order, api = placed(user=ada), ApiClient(StaffFactory())
    assert put(api, f"/api/orders/{order.pk}/status", {"status": "cancelled"}).status_code == 200
    assert Product.objects.get().stock == 10


def test_a_held_order_does_not_ship(ada):
    order = placed(user=ada)
    pay(order)
    tell(order)
    error = refused(put(ApiClient(StaffFactory()), f"/api/orders/{order.pk}/status", {"status": "shipped"}), 409, "ILLEGAL_TRANSITION")
    assert error["message"].startswith("This order is on hold:")


def test_the_buyer_may_not_set_a_status(api, ada):
    order = OrderFactory(user=ada)
    refused(put(api, f"/api/orders/{order.pk}/status", {"status": "delivered"}), 403, "FORBIDDEN")
    order.refresh_from_db()
    assert order.status == "pending"


def test_the_permission_to_change_orders_is_enough(ada):
    order = OrderFactory(user=ada)
    clerk = UserFactory()
    clerk.user_permissions.add(Permission.objects.get(codename="change_order"))
    assert put(ApiClient(clerk), f"/api/orders/{order.pk}/status", {"status": "processing"}).status_code == 200


@pytest.mark.parametrize("status", ["lost", "", None, 1, {"$ne": None}, "\x00"])
def test_an_invalid_status_is_refused(status):
    order = OrderFactory()
    refused(put(ApiClient(StaffFactory()), f"/api/orders/{order.pk}/status", {"status": status}), 400, "VALIDATION_ERROR")


def test_the_buyer_cancels_an_unpaid_order(api, ada):
    order = placed(user=ada)
    assert api.post(f"/api/orders/{order.pk}/cancel", {}).json()["data"]["status"] == "cancelled"
    refused(api.post(f"/api/orders/{order.pk}/cancel", {}), 409, "ILLEGAL_TRANSITION")
    assert Product.objects.get().stock == 10


def test_the_buyer_cancels_with_no_body_at_all(api, ada):
    order = placed(user=ada)
    assert api.generic("POST", f"/api/orders/{order.pk}/cancel", "", content_type="").status_code == 200


def test_the_buyer_cannot_cancel_what_is_paid(api, ada):
    order = placed(user=ada)
    pay(order)
    refused(api.post(f"/api/orders/{order.pk}/cancel", {}), 409, "ILLEGAL_TRANSITION")


def test_an_order_lists_its_events(api, ada):
    order = placed(user=ada)
    pay(order)
    body = api.get(f"/api/orders/{order.pk}/events").json()
    assert [(row["seq"], row["type"], row["status"], row["paymentStatus"]) for row in body["data"]] == [
        (1, "order.placed", "pending", "unpaid"),
        (2, "order.paid", "processing", "paid"),
    ]
    assert set(body["data"][0]) == {"seq", "type", "title", "status", "paymentStatus", "createdAt"}
    assert body["meta"]["total"] == 2


def test_an_order_shows_how_it_is_to_be_paid(api, ada):
    order = placed(user=ada)
    tell(order)
    payment = api.get(f"/api/orders/{order.pk}/payment").json()["data"]
    assert (payment["invoiceId"], payment["status"]) == (str(Invoice.objects.get().pk), "processing")


def test_an_order_can_be_paid_in_another_coin(api, ada):
    order = placed(user=ada)
    body = api.post(f"/api/orders/{order.pk}/payment", {"cryptocurrency": "LTC"}).json()["data"]
    assert (body["network"], body["status"], body["amount"]) == ("LTC", "new", "1.24975000")
    assert body == api.get(f"/api/orders/{order.pk}/payment").json()["data"]
    assert api.get(f"/api/orders/{order.pk}").json()["data"]["cryptocurrency"] == "LTC"


def test_a_new_quote_in_the_same_coin_reopens_an_expired_order(api, ada):
    order = placed(user=ada)
    run_out(order)
    body = api.post(f"/api/orders/{order.pk}/payment", {}).json()["data"]
    assert (body["network"], body["status"]) == ("BTC", "new")


def test_a_paid_cancelled_or_sold_out_order_gets_no_new_quote(api, ada):
    order = placed(user=ada)
    run_out(order)
    Product.objects.update(stock=0)
    refused(api.post(f"/api/orders/{order.pk}/payment", {}), 409, "INSUFFICIENT_STOCK")
    pay(order)
    refused(api.post(f"/api/orders/{order.pk}/payment", {}), 409, "CONFLICT")
    cancelled = placed(user=ada, product__sku="POT")
    api.post(f"/api/orders/{cancelled.pk}/cancel", {})
    refused(api.post(f"/api/orders/{cancelled.pk}/payment", {}), 409, "ILLEGAL_TRANSITION")


def test_no_quote_is_made_while_the_network_is_unavailable(api, ada, monkeypatch):
    def away(self, request):
        raise NodeUnavailable("no answer")

    order = placed(user=ada)
    monkeypatch.setattr(SandboxNetwork, "open_destination", away)
    refused(api.post(f"/api/orders/{order.pk}/payment", {"cryptocurrency": "XRP"}), 503, "SERVICE_UNAVAILABLE")


def test_nobody_changes_the_payment_of_another_user(api, ada):
    staff, order = StaffFactory(), placed(user=ada)
    for other in (UserFactory(), staff):
        refused(ApiClient(other).post(f"/api/orders/{order.pk}/payment", {"cryptocurrency": "LTC"}), 404, "NOT_FOUND")
    assert Invoice.objects.get().options.count() == 1


@pytest.mark.parametrize("body", [{"cryptocurrency": "DOGE"}, {"cryptocurrency": {"$ne": None}}, {"coin": "BTC"}, []])
def test_a_quote_for_an_unknown_coin_or_field_is_refused(api, ada, body):
    refused(api.post(f"/api/orders/{placed(user=ada).pk}/payment", body), 400, "VALIDATION_ERROR")


def test_an_order_without_an_invoice_has_no_payment(api, ada):
    refused(api.get(f"/api/orders/{OrderFactory(user=ada).pk}/payment"), 404, "NOT_FOUND")


def test_an_order_keeps_its_lines_when_the_product_goes(api, ada):
    order = placed(user=ada)
    Product.objects.all().delete()
    item = api.get(f"/api/orders/{order.pk}").json()["data"]["items"][0]
    assert (item["productId"], item["name"], item["quantity"]) == (None, "Copper Kettle", 2)
