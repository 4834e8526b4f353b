"""The exceptions queue: its alerts, who may see it and press its buttons, and what the admin's home page counts."""

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.tests.factories import StaffFactory, UserFactory
from payments.alerts import alert
from payments.models import Alert, Invoice
from shop.admin.tests.exceptions import QUEUE, invoice_of, long_ago, partial_order, press, shown
from shop.tests.paying import pay

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_alert_can_be_closed_and_opened_again(client, grace):
    alert("x", "The node has 1 sat less than the ledger.", at=timezone.now())
    pk = Alert.objects.get().pk
    assert "1 sat less" in shown(client)

    text = client.post(f"{QUEUE}alerts/{pk}/close/", follow=True).text
    assert (Alert.objects.get().closed_by, "closed by grace" in " ".join(text.split())) == ("grace", True)
    assert "This was already closed." in client.post(f"{QUEUE}alerts/{pk}/close/", follow=True).text

    client.post(f"{QUEUE}alerts/{pk}/open/")
    assert Alert.objects.get().closed_at is None


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
