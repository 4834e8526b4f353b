"""Filters of the list of orders, and pages that come one after the other."""

import base64
from datetime import timedelta
from urllib.parse import quote

import pytest

from accounts.tests.factories import ApiClient, StaffFactory
from shop.api.tests.api_calls import assert_error
from shop.models import Order
from shop.tests.factories import NOW, OrderFactory

pytestmark = pytest.mark.django_db(transaction=True)

ANY_ID = "01919191-0000-7000-8000-000000000000"


@pytest.fixture
def staff():
    return ApiClient(StaffFactory())


def found(client, query):
    return [row["orderNumber"] for row in client.get(f"/api/orders?all=true&{query}").json()["data"]]


@pytest.mark.parametrize(
    "query, numbers",
    [
        ("status=processing", ["PAID1-00000"]),
        ("paymentStatus=paid", ["PAID1-00000"]),
        ("onHold=true", ["HELD1-00000"]),
        ("onHold=false&status=pending", ["OPEN1-00000"]),
        ("since=2026-11-02", ["HELD1-00000", "PAID1-00000"]),
        ("until=2026-11-02", ["OPEN1-00000"]),
        ("search=paid1-00000", ["PAID1-00000"]),
        ("search=Ada%40Example.com", ["OPEN1-00000"]),
        ("search=nobody", []),
        ("status=", ["HELD1-00000", "PAID1-00000", "OPEN1-00000"]),
    ],
)
def test_orders_can_be_filtered(staff, query, numbers):
    day = NOW.replace(year=2026, month=11, day=1)
    OrderFactory(number="OPEN1-00000", email="ada@example.com", created_at=day)
    OrderFactory(
        number="PAID1-00000", email="bob@example.com", status="processing", payment_status="paid", created_at=day + timedelta(days=1)
    )
    OrderFactory(number="HELD1-00000", email="bob@example.com", on_hold=True, created_at=day + timedelta(days=2))
    assert found(staff, query) == numbers


@pytest.mark.parametrize("typed", ["ada@bücher.example", "ADA@xn--bcher-kva.example"])
def test_an_order_is_found_by_both_forms_of_its_mail_address_although_an_old_one_has_the_form_of_mail_servers(staff, typed):
    OrderFactory(number="OLDER-00000", email="ada@xn--bcher-kva.example", created_at=NOW - timedelta(days=1))
    OrderFactory(number="NEWER-00000", email="ada@bücher.example", created_at=NOW)
    assert found(staff, f"search={quote(typed)}") == ["NEWER-00000", "OLDER-00000"]
    assert found(staff, f"search={quote('ada@bü' + 'ü' * 99 + '.example')}") == []


def test_filters_show_users_no_orders_but_their_own(api, ada):
    OrderFactory(number="MINE1-00000", user=ada)
    OrderFactory(number="OTHER-00000")
    assert api.get("/api/orders?search=OTHER-00000").json()["data"] == []
    assert [row["orderNumber"] for row in api.get("/api/orders?status=pending").json()["data"]] == ["MINE1-00000"]


@pytest.mark.parametrize(
    "query", ["status=lost", "paymentStatus=rich", "onHold=1", "since=yesterday", "updatedSince=0", "search=%00", "colour=red"]
)
def test_a_filter_that_cannot_be_used_is_named(staff, query):
    error = assert_error(staff.get(f"/api/orders?all=true&{query}"), 400, "VALIDATION_ERROR")
    assert [row["field"] for row in error["details"]] == [query.partition("=")[0]]


def test_what_changed_since_a_moment_comes_in_the_order_of_its_changes(staff):
    for number, minutes in (("A0000-00000", 3), ("B0000-00000", 1), ("C0000-00000", 2), ("D0000-00000", -1)):
        OrderFactory(number=number, updated_at=NOW + timedelta(minutes=minutes))
    since = NOW.isoformat().replace("+00:00", "Z")
    assert found(staff, f"updatedSince={since}") == ["B0000-00000", "C0000-00000", "A0000-00000"]


@pytest.mark.parametrize("query, sign", [("", -1), ("updatedSince=2026-01-01", 1)])
def test_pages_one_after_the_other_show_each_row_once_while_rows_come_and_go(staff, query, sign):
    """Three rows of each moment, so that a page ends between rows of the same one."""
    orders = [OrderFactory(created_at=NOW + timedelta(hours=n // 3), updated_at=NOW + timedelta(hours=n // 3)) for n in range(12)]
    expected = [order.number for order in sorted(orders, key=lambda order: (order.created_at, order.pk), reverse=sign < 0)]
    seen, after = [], ""
    while after is not None:
        body = staff.get(f"/api/orders?all=true&limit=5&{query}{after and f'&after={after}'}").json()
        seen += [row["orderNumber"] for row in body["data"]]
        after = body["meta"]["next"]
        Order.objects.filter(number=seen[-1]).delete()
        OrderFactory(created_at=NOW + timedelta(days=-sign), updated_at=NOW - timedelta(days=sign))  # before the first page
    assert seen == expected


def test_the_meta_of_a_page_says_where_it_is(staff):
    OrderFactory.create_batch(3)
    first = staff.get("/api/orders?all=true&limit=2").json()["meta"]
    assert (first["page"], first["limit"], first["total"]) == (1, 2, 3)
    assert staff.get(f"/api/orders?all=true&limit=2&after={first['next']}").json()["meta"] == {
        "page": None,
        "limit": 2,
        "total": None,
        "next": None,
    }
    assert staff.get("/api/orders?all=true&limit=2&page=2").json()["meta"]["next"] is None


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "ä",
        encoded("{}"),
        encoded("[1]"),
        encoded('["yesterday", "x"]'),
        encoded('["2026-11-01T00:00:00Z", 7]'),
        encoded("[null, null]"),
        encoded(f'[null, "{ANY_ID}"]'),
        encoded(f'["0001-01-01T00:00:00+14:00", "{ANY_ID}"]'),
        encoded(f'["9999-12-31T23:59:59-14:00", "{ANY_ID}"]'),
    ],
)
def test_what_is_no_cursor_is_refused(staff, after):
    error = assert_error(staff.get("/api/orders", {"all": "true", "after": after}), 400, "VALIDATION_ERROR")
    assert [row["field"] for row in error["details"]] == ["after"]


@pytest.mark.parametrize("seq", ["null", "1e30", "9223372036854775808", "-1e19"])
def test_what_is_no_cursor_of_events_is_refused(staff, seq):
    path = f"/api/orders/{OrderFactory().pk}/events"
    error = assert_error(staff.get(path, {"after": encoded(f'[{seq}, "{ANY_ID}"]')}), 400, "VALIDATION_ERROR")
    assert [row["field"] for row in error["details"]] == ["after"]


def test_a_page_has_a_number_or_a_cursor(staff):
    error = assert_error(staff.get("/api/orders?all=true&page=2&after=x"), 400, "VALIDATION_ERROR")
    assert [row["field"] for row in error["details"]] == ["page"]
