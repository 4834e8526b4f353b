"""Staff look at money, and decide by name and reason only."""

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import StaffFactory, UserFactory
from payments.tests.factories import CursorFactory, OptionFactory, PaymentFactory

pytestmark = pytest.mark.django_db

LISTS = ["alert", "invoice", "payment", "cursor", "rate"]


@pytest.fixture
def grace():
    return StaffFactory(username="grace")


@pytest.fixture
def staff_who_may(client):
    def log_in(*permissions):
        staff = StaffFactory(is_superuser=False)
        staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(staff)
        return staff

    return log_in


@pytest.mark.parametrize("name", LISTS)
def test_each_payments_list_in_the_admin_opens(client, grace, name):
    CursorFactory()
    PaymentFactory()
    client.force_login(grace)
    assert client.get(f"/admin/payments/{name}/").status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_staff_without_view_permission_cannot_open_the_lists(client, staff_who_may, name):
    staff_who_may()
    assert client.get(f"/admin/payments/{name}/").status_code == 403


def test_a_buyer_cannot_open_the_list_of_invoices(client):
    client.force_login(UserFactory())
    assert client.get("/admin/payments/invoice/").status_code == 302


@pytest.mark.parametrize("name", LISTS)
def test_a_superuser_cannot_add_change_or_delete_payments(client, grace, name):
    client.force_login(grace)
    payment = PaymentFactory()

    assert client.get(f"/admin/payments/{name}/add/").status_code == 403
    assert client.post(f"/admin/payments/payment/{payment.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"/admin/payments/payment/{payment.pk}/change/", {"amount_base": "1"}).status_code == 403


def test_an_invoice_is_found_by_its_address_transaction_or_label(client, grace):
    payment = PaymentFactory()
    client.force_login(grace)
    for words in (payment.option.destination, payment.reference, payment.invoice.label):
        assert payment.invoice.order_number in client.get("/admin/payments/invoice/", {"q": words}).content.decode()
    assert b"0 invoices" in client.get("/admin/payments/invoice/", {"q": "nothing-like-it"}).content


def test_staff_can_ask_the_node_about_an_invoice_at_once(client, grace):
    invoice = OptionFactory().invoice
    client.force_login(grace)

    page = client.get(f"/admin/payments/invoice/{invoice.pk}/ask/", follow=True).content

    assert b"The node knows 0 payments for it." in page


def test_staff_without_view_permission_cannot_ask_the_node(client, staff_who_may):
    invoice = OptionFactory().invoice
    staff_who_may("view_order")
    assert client.get(f"/admin/payments/invoice/{invoice.pk}/ask/").status_code == 403
