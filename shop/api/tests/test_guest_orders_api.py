"""Orders of guests over the API: placed with a mail address, and read with the key that only the first answer tells."""

import pytest

from accounts.api_keys import make_key
from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from shop.api.tests.api_calls import assert_error, order_body
from shop.models import Order
from shop.tests.factories import OrderFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def guest():
    return ApiClient()


@pytest.fixture
def placed(guest, kettle):
    answer = guest.post("/api/orders", order_body((kettle, 2), email="Ada@example.com"))
    assert answer.status_code == 201, answer.content
    return answer.json()["data"]


def with_key(placed):
    return {"X-Order-Key": placed["accessKey"]}


def test_a_guest_orders_with_a_mail_address_and_gets_a_key(placed, kettle):
    order = Order.objects.get()
    assert (placed["id"], placed["userId"], placed["accessKey"]) == (str(order.pk), None, order.access_token)
    assert (order.user, order.email.lower()) == (None, "ada@example.com")
    assert placed["payment"]["amount"] == "0.00153816"
    kettle.refresh_from_db()
    assert kettle.stock == 8


def test_a_guest_must_name_a_mail_address_and_items(guest, kettle):
    error = assert_error(guest.post("/api/orders", order_body()), 400, "VALIDATION_ERROR")
    assert [row["field"] for row in error["details"]] == ["email", "items"]
    fields = [row["field"] for row in assert_error(guest.post("/api/orders", {"mail": "x"}), 400, "VALIDATION_ERROR")["details"]]
    assert sorted(fields) == ["cryptocurrency", "email", "items", "mail", "shippingAddress"]
    for email in ("nobody", "", 7, None):
        assert_error(guest.post("/api/orders", order_body((kettle, 1), email=email)), 400, "VALIDATION_ERROR")
    assert not Order.objects.exists()


def test_the_key_opens_the_order_its_events_and_its_payment(guest, placed):
    path = f"/api/orders/{placed['id']}"
    shown = guest.get(path, headers=with_key(placed)).json()["data"]
    assert shown == {name: value for name, value in placed.items() if name not in ("payment", "accessKey")}
    assert guest.get(f"{path}/payment", headers=with_key(placed)).json()["data"] == placed["payment"]
    assert guest.get(f"{path}/events", headers=with_key(placed)).json()["data"][0]["type"] == "order.placed"


def test_a_guest_can_ask_for_another_coin_and_cancel(guest, placed):
    path = f"/api/orders/{placed['id']}"
    quoted = guest.post(f"{path}/payment", {"cryptocurrency": "LTC"}, headers=with_key(placed))
    assert quoted.json()["data"]["network"] == "LTC"
    assert guest.post(f"{path}/cancel", {}, headers=with_key(placed)).json()["data"]["status"] == "cancelled"


def test_a_guest_without_a_key_must_log_in_and_one_with_another_finds_no_order(guest, placed):
    other = OrderFactory()
    for method, rest in (
        (guest.get, ""),
        (guest.get, "/events"),
        (guest.get, "/payment"),
        (guest.post, "/payment"),
        (guest.post, "/cancel"),
    ):
        path = f"/api/orders/{placed['id']}{rest}"
        data = {} if method == guest.post else None
        assert_error(method(path, data), 401, "UNAUTHORIZED")
        for key in (other.access_token, "x", "ключ", "k" * 5000):
            assert_error(method(path, data, headers={"X-Order-Key": key}), 404, "NOT_FOUND")
    assert_error(guest.get("/api/orders", headers=with_key(placed)), 401, "UNAUTHORIZED")


def test_a_key_gives_a_user_no_rights(placed, kettle):
    kate = ApiClient(UserFactory())
    assert_error(kate.get(f"/api/orders/{placed['id']}", headers=with_key(placed)), 404, "NOT_FOUND")


def test_a_stale_token_makes_nobody_a_guest(kettle):
    answer = ApiClient().post("/api/orders", order_body((kettle, 1), email="ada@example.com"), headers={"Authorization": "Bearer stale"})
    assert_error(answer, 401, "UNAUTHORIZED")


def test_a_guest_who_repeats_the_request_gets_the_same_order_and_key(guest, kettle):
    body, headers = order_body((kettle, 1), email="ada@example.com"), {"Idempotency-Key": "1"}
    first = guest.post("/api/orders", body, headers=headers).json()
    assert guest.post("/api/orders", body, headers=headers).json() == first
    assert Order.objects.count() == 1

    kate = order_body((kettle, 1), email="kate@example.com")
    assert guest.post("/api/orders", kate, headers=headers).json()["data"]["id"] != first["data"]["id"]


def test_a_user_may_name_another_address_for_the_mails_of_an_order(api, ada, kettle):
    assert api.post("/api/orders", order_body((kettle, 1), email="office@example.com")).json()["data"]["accessKey"] is None
    order = Order.objects.get()
    assert (order.user, order.email) == (ada, "office@example.com")


def test_a_program_that_may_change_orders_places_those_of_many_buyers(settings):
    """From one address; the limit of each buyer's mail address holds."""
    settings.UNPAID_ORDERS = 1

    def statuses(scope):
        program = ApiClient(HTTP_AUTHORIZATION=f"Bearer {make_key(StaffFactory(), 'ERP', [scope])[1]}")
        buyers = [f"{name}.{scope[-4:]}@example.com" for name in ("ada", "eve", "ada")]
        return [program.post("/api/orders", order_body((ProductFactory(), 1), email=buyer)).status_code for buyer in buyers]

    assert statuses("orders:write") == [201, 201, 409]
    assert statuses("orders:read") == [201, 409, 409]
