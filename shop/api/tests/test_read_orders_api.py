"""Reading orders and their events over the API."""

import pytest

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from shop.api.tests.api_calls import assert_error
from shop.models import Product
from shop.tests.factories import NOW, OrderFactory, OrderLineFactory
from shop.tests.paying import pay, placed

pytestmark = pytest.mark.django_db(transaction=True)


def test_users_see_their_own_orders_newest_first(api, ada):
    old = OrderFactory(user=ada)
    new = OrderFactory(user=ada, created_at=NOW.replace(hour=13))
    OrderFactory(user=UserFactory())
    OrderFactory()

    body = api.get("/api/orders").json()

    assert [row["id"] for row in body["data"]] == [str(new.pk), str(old.pk)]
    assert body["meta"] == {"page": 1, "limit": 20, "total": 2, "next": None}


def test_a_long_list_of_orders_needs_as_many_queries_as_a_short_one(api, ada, django_assert_max_num_queries):
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


def test_users_cannot_list_the_orders_of_others(api):
    assert_error(api.get("/api/orders?all=true"), 403, "FORBIDDEN")
    assert_error(api.get("/api/orders?all=maybe"), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("method, path", [("GET", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/payment")])
def test_the_order_of_another_user_is_not_found(api, method, path):
    theirs = OrderFactory(user=UserFactory())
    assert_error(api.generic(method, f"/api/orders/{theirs.pk}{path}", "{}" if method == "POST" else ""), 404, "NOT_FOUND")


@pytest.mark.parametrize("order_id", ["nonsense", "00000000-0000-7000-8000-000000000000", "%00", "😀"])
def test_an_unknown_or_malformed_order_id_is_not_found(api, order_id):
    assert assert_error(api.get(f"/api/orders/{order_id}"), 404, "NOT_FOUND")["message"] == "Order not found"


def test_staff_can_read_any_order(ada):
    order = OrderFactory(user=ada)
    assert ApiClient(StaffFactory()).get(f"/api/orders/{order.pk}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/x"), ("PUT", "/x/status"), ("POST", "/x/cancel"), ("GET", "/x/events"), ("GET", "/x/payment")],
)
def test_the_order_api_needs_a_login(method, path):
    assert_error(ApiClient().generic(method, f"/api/orders{path}", "{}"), 401, "UNAUTHORIZED")


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


def test_an_order_keeps_its_lines_when_the_product_is_deleted(api, ada):
    order = placed(user=ada)
    Product.objects.all().delete()
    item = api.get(f"/api/orders/{order.pk}").json()["data"]["items"][0]
    assert (item["productId"], item["name"], item["quantity"]) == (None, "Copper Kettle", 2)
