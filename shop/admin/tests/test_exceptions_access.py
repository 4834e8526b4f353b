"""The exceptions queue: its alerts, who may see it and press its buttons, and what the admin's home page counts."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.tests.factories import StaffFactory, UserFactory
from cryptons.audit.models import Entry
from payments.alerts import alert
from payments.models import Alert, Invoice
from payments.tests.factories import CursorFactory
from shop.admin.tests.exceptions import QUEUE, invoice_of, long_ago, partial_order, press, shown
from shop.tests.paying import open_order, pay

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_alert_can_be_closed_and_opened_again(client, grace):
    alert("x", "The node has 1 sat less than the ledger.", at=timezone.now())
    pk = Alert.objects.get().pk
    assert "1 sat less" in shown(client)

    text = client.post(f"{QUEUE}alerts/{pk}/close/", follow=True).text
    assert (Alert.objects.get().closed_by, "closed by grace" in " ".join(text.split())) == ("grace", True)
    assert "This was already closed." in client.post(f"{QUEUE}alerts/{pk}/close/", follow=True).text

    client.post(f"{QUEUE}alerts/{pk}/open/")
    client.post(f"{QUEUE}alerts/{pk}/open/")
    assert Alert.objects.get().closed_at is None
    told = Entry.objects.filter(object_type="alert", object_id=pk, object_name="The node has 1 sat less than the ledger.")
    assert list(told.order_by("at", "id").values_list("person", "way", "action")) == [
        ("grace", "admin", "close"),
        ("grace", "admin", "reopen"),
    ]


def test_the_admin_home_page_counts_what_needs_attention(client, grace):
    assert "There is nothing to do." in client.get("/admin/").text
    partial_order()
    pay(long_ago(product__sku="POT"), reference="b" * 64 + ":0")
    alert("x", "Look.", at=timezone.now())
    text = client.get("/admin/").text
    assert "Payments to decide about <strong>1</strong>" in text
    assert "Orders to ship <strong>1</strong>" in text
    assert "Alerts <strong>1</strong>" in text
    assert "Orders on hold" not in text


def test_staff_without_permission_to_see_invoices_cannot_open_the_queue(client):
    staff = StaffFactory(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "change_order"]))
    client.force_login(staff)
    partial_order()
    assert client.get(QUEUE).status_code == 403
    assert "Payments to decide about" not in client.get("/admin/").text


def test_staff_with_view_permission_only_see_no_buttons_and_change_nothing(client):
    staff = StaffFactory(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename="view_invoice"))
    client.force_login(staff)
    order = partial_order()
    alert("x", "Look.", at=timezone.now())
    text = shown(client)
    assert "Only a part of the price" in text
    for words in ("Accept as paid", "Ask for the rest", "Dismiss", ">Close<", f"/admin/shop/order/{order.pk}"):
        assert words not in text
    pk = Alert.objects.get().pk
    assert press(client, order, "ask").status_code == 403
    assert client.get(f"{QUEUE}{invoice_of(order).pk}/ask/").status_code == 403
    assert client.post(f"{QUEUE}alerts/{pk}/close/").status_code == 403
    assert client.post(f"{QUEUE}alerts/{pk}/open/").status_code == 403
    assert (invoice_of(order).status, Alert.objects.get().closed_at) == ("expired", None)


def test_a_buyer_cannot_open_the_exceptions_queue(client):
    client.force_login(UserFactory())
    assert client.get(QUEUE).status_code == 302


@pytest.mark.parametrize("path", ["00000000-0000-7000-8000-000000000000/ask/", "nonsense/"])
def test_an_unknown_invoice_or_alert_is_a_404(client, grace, path):
    assert client.get(QUEUE + path).status_code == 404
    assert client.post(f"{QUEUE}alerts/00000000-0000-7000-8000-000000000000/close/").status_code == 404


def test_the_exceptions_queue_needs_a_limited_number_of_queries(client, grace, django_assert_max_num_queries):
    for sku in "ABCDE":
        partial_order(product__sku=sku)
    assert Invoice.objects.to_decide().count() == 5
    with django_assert_max_num_queries(20):
        shown(client)


@pytest.mark.parametrize(("answered_at", "says"), [(timedelta(minutes=3), True), (timedelta(minutes=1), False)])
def test_the_admin_home_page_says_when_payments_are_noticed_late(client, grace, answered_at, says):
    CursorFactory(network="BTC", answered_at=timezone.now() - answered_at)

    text = client.get("/admin/").text

    assert ("Networks that are not polled, so that payments are noticed late <strong>1</strong>" in text) is says
    assert ("so payments are noticed late: check that the worker runs" in text) is says
    assert ("There is nothing to do." in text) is not says


def test_the_admin_home_page_counts_a_network_without_a_node_once(client, grace):
    CursorFactory(network="BTC", answered_at=timezone.now() - timedelta(hours=1), failing_since=timezone.now())

    text = client.get("/admin/").text

    assert "Networks that do not answer <strong>1</strong>" in text
    assert "Networks that are not polled" not in text


def test_the_admin_home_page_says_when_no_network_was_ever_polled(client, grace):
    order = open_order()
    Invoice.objects.filter(subject_id=order.pk).update(created_at=timezone.now() - timedelta(minutes=3))
    assert "never polled, so payments are not noticed: check that the worker runs" in client.get("/admin/").text
