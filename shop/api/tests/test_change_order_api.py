"""Changing the status of an order and cancelling it over the API."""

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from cryptons.events.models import Event
from shop.api.tests.api_calls import assert_error, put_json
from shop.models import Product
from shop.tests.factories import OrderFactory
from shop.tests.paying import pay, placed, tell

pytestmark = pytest.mark.django_db(transaction=True)


def test_staff_can_process_ship_and_deliver_an_order(ada):
    order, api = placed(user=ada), ApiClient(StaffFactory(username="grace"))
    pay(order)
    for status in ("shipped", "delivered"):
        assert put_json(api, f"/api/orders/{order.pk}/status", {"status": status}).json()["data"]["status"] == status
    assert_error(put_json(api, f"/api/orders/{order.pk}/status", {"status": "cancelled"}), 409, "ILLEGAL_TRANSITION")


def test_an_order_that_is_not_safely_paid_is_moved_on_only_with_a_reason(ada):
    order, api = placed(user=ada), ApiClient(StaffFactory(username="grace"))
    tell(order)
    address = f"/api/orders/{order.pk}/status"
    for status in ("processing", "shipped", "delivered"):
        for empty in ({}, {"reason": "   "}):
            answer = put_json(api, address, {"status": status, **empty})
            assert answer.status_code in (400, 409)
        assert (
            "is not safely paid (Payment seen). Give a reason"
            in assert_error(put_json(api, address, {"status": status}), 409, "ILLEGAL_TRANSITION")["message"]
        )
        assert put_json(api, address, {"status": status, "reason": "A regular.", "note": "Ask Ada."}).status_code == 200
        event = Event.objects.get(type=f"order.{status}")
        assert (event.actor, event.data["reason"], event.data["note"]) == ("grace", "A regular.", "Ask Ada.")
    events = api.get(f"/api/orders/{order.pk}/events").text
    assert "A regular." not in events
    assert "Ask Ada." not in events


def test_cancelling_an_order_by_staff_returns_its_stock(ada):
    order, api = placed(user=ada), ApiClient(StaffFactory())
    assert put_json(api, f"/api/orders/{order.pk}/status", {"status": "cancelled"}).status_code == 200
    assert Product.objects.get().stock == 10


def test_an_order_on_hold_cannot_be_shipped(ada):
    order = placed(user=ada)
    pay(order)
    tell(order)
    error = assert_error(
        put_json(ApiClient(StaffFactory()), f"/api/orders/{order.pk}/status", {"status": "shipped"}), 409, "ILLEGAL_TRANSITION"
    )
    assert error["message"].startswith("This order is on hold:")


def test_the_buyer_cannot_set_the_status_of_an_order(api, ada):
    order = OrderFactory(user=ada)
    assert_error(put_json(api, f"/api/orders/{order.pk}/status", {"status": "delivered"}), 403, "FORBIDDEN")
    order.refresh_from_db()
    assert order.status == "pending"


def test_a_user_with_the_permission_to_change_orders_can_set_a_status(ada):
    order = OrderFactory(user=ada)
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="change_order"))
    assert put_json(ApiClient(clerk), f"/api/orders/{order.pk}/status", {"status": "processing", "reason": "A friend."}).status_code == 200


@pytest.mark.parametrize("name", ["reason", "note"])
def test_a_reason_and_a_note_are_text(ada, name):
    order = OrderFactory(user=ada)
    answer = put_json(ApiClient(StaffFactory()), f"/api/orders/{order.pk}/status", {"status": "processing", "reason": "A friend.", name: 5})
    assert [detail["field"] for detail in assert_error(answer, 400, "VALIDATION_ERROR")["details"]] == [name]


@pytest.mark.parametrize("status", ["lost", "", None, 1, {"$ne": None}, "\x00"])
def test_an_invalid_status_is_refused(status):
    order = OrderFactory()
    assert_error(put_json(ApiClient(StaffFactory()), f"/api/orders/{order.pk}/status", {"status": status}), 400, "VALIDATION_ERROR")


def test_the_buyer_can_cancel_an_unpaid_order(api, ada):
    order = placed(user=ada)
    assert api.post(f"/api/orders/{order.pk}/cancel", {}).json()["data"]["status"] == "cancelled"
    assert_error(api.post(f"/api/orders/{order.pk}/cancel", {}), 409, "ILLEGAL_TRANSITION")
    assert Product.objects.get().stock == 10


def test_the_buyer_can_cancel_an_order_with_an_empty_request_body(api, ada):
    order = placed(user=ada)
    assert api.generic("POST", f"/api/orders/{order.pk}/cancel", "", content_type="").status_code == 200


def test_the_buyer_cannot_cancel_a_paid_order(api, ada):
    order = placed(user=ada)
    pay(order)
    assert_error(api.post(f"/api/orders/{order.pk}/cancel", {}), 409, "ILLEGAL_TRANSITION")
