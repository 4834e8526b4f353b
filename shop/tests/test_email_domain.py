"""A mail address may have a domain of any script: it is one address in both of its forms, and mail servers get the ASCII one."""

import importlib
from email import message_from_bytes
from email.policy import default
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import ApiClient, UserFactory
from cryptons.email_domain import ascii_email, readable_email, validate_mail_address
from cryptons.mail.message import message_bytes, plain_address
from cryptons.mail.models import Mail
from cryptons.mail_address import read_staff_addresses
from shop.models import Order, OrderLinkRequest
from shop.orders.order_link import answer_link_requests
from shop.tests.factories import ADDRESS, ProductFactory
from shop.tests.paying import open_order

READABLE, ASCII = "ada@bücher.example", "ada@xn--bcher-kva.example"
PASSWORD = "correct horse battery"


@pytest.mark.parametrize("typed", [READABLE, ASCII, "ada@BÜCHER.example", "ada@XN--BCHER-KVA.EXAMPLE"])
def test_every_form_of_a_domain_is_the_same_address(typed):
    assert readable_email(typed) == READABLE
    assert ascii_email(readable_email(typed)) == ASCII
    validate_mail_address(typed)


@pytest.mark.parametrize(("typed", "sent"), [("a@straße.example", "a@xn--strae-oqa.example"), ("a@例え.example", "a@xn--r8jz45g.example")])
def test_a_domain_is_written_as_today_s_registries_know_it(typed, sent):
    assert ascii_email(readable_email(typed)) == sent
    assert readable_email(sent) == typed


@pytest.mark.parametrize("typed", ["Ada.L@Example.COM", "ada@[192.0.2.1]", "ada", "", "@", "ada@xn--a.example"])
def test_what_is_no_such_domain_stays_as_it_is(typed):
    assert readable_email(typed) == typed


@pytest.mark.parametrize("typed", ["ada@-ü.example", "ada@ü..example", f"ada@{'ü' * 64}.example", "ada@ü\u200d.example"])
def test_an_impossible_domain_is_refused(typed):
    with pytest.raises(ValidationError, match="Enter a valid email address"):
        validate_mail_address(readable_email(typed))


def test_other_letters_before_the_at_are_refused_with_the_reason():
    with pytest.raises(ValidationError, match="Before the @, only the letters a to z"):
        validate_mail_address("käufer@bücher.example")


def test_staff_addresses_are_kept_as_a_mail_server_takes_them():
    assert read_staff_addresses([READABLE]) == [ASCII]


def test_a_mail_is_sent_to_the_ascii_form():
    mail = Mail(key="x", to="ada@straße.example", subject="Paid", text="t", html="<p>t</p>", created_at=timezone.now())

    assert plain_address(mail.to) == "ada@xn--strae-oqa.example"
    assert message_from_bytes(message_bytes(mail), policy=default)["To"] == "ada@xn--strae-oqa.example"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("registered, typed", [(READABLE, ASCII), (ASCII, READABLE)])
def test_an_account_is_found_by_both_forms(client, registered, typed):
    body = {"username": "ada", "email": registered, "password": PASSWORD}
    assert client.post("/account/register/", body).status_code == 302
    client.logout()

    assert User.objects.get().email == READABLE
    again = client.post("/account/register/", {**body, "username": "other", "email": typed})
    assert "This email address already has an account." in again.text
    assert ApiClient().post("/api/auth/register", {**body, "username": "other", "email": typed}).status_code == 409
    assert ApiClient().post("/api/auth/login", {"email": typed.upper(), "password": PASSWORD}).status_code == 200
    assert client.post("/account/login/", {"name": typed, "password": PASSWORD}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_an_order_over_pages_and_api_keeps_the_readable_form_and_is_found_by_both(client):
    product = ProductFactory(stock=5)
    client.post("/cart/add/", {"product": product.pk, "quantity": 1}, headers={"sec-fetch-site": "same-origin"})
    client.post("/checkout/", {**ADDRESS, "email": ASCII})
    assert READABLE in client.get("/checkout/payment/").text
    items = [{"productId": str(product.pk), "quantity": 1}]
    body = {"email": ASCII, "items": items, "shippingAddress": ADDRESS, "cryptocurrency": "BTC"}
    answer = ApiClient().post("/api/orders", body, HTTP_IDEMPOTENCY_KEY="one")
    assert answer.status_code == 201, answer.text
    assert Order.objects.get().email == READABLE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stored, typed", [(READABLE, ASCII), (ASCII, READABLE), (READABLE, READABLE)])
def test_the_link_of_an_order_is_mailed_for_both_forms(client, stored, typed):
    order = open_order()
    Order.objects.filter(pk=order.pk).update(email=stored)
    Mail.objects.all().delete()

    client.post("/orders/find/", {"number": order.number, "email": typed})
    answer_link_requests(at=timezone.now())

    assert [mail.to for mail in Mail.objects.all()] == [stored]
    assert not OrderLinkRequest.objects.exists()


@pytest.mark.django_db
def test_accounts_of_before_get_the_readable_form_unless_it_is_taken():
    old, taken, other = UserFactory.create(), UserFactory.create(), UserFactory.create(email="bob@bücher.example")
    User.objects.filter(pk=old.pk).update(email=ASCII, verified_email=ASCII)
    User.objects.filter(pk=taken.pk).update(email="bob@xn--bcher-kva.example")

    importlib.import_module("accounts.migrations.0009_readable_email").write_readable(apps, SimpleNamespace(connection=connection))

    old.refresh_from_db()
    taken.refresh_from_db()
    assert (old.email, old.verified_email, taken.email, other.email) == (
        READABLE,
        READABLE,
        "bob@xn--bcher-kva.example",
        "bob@bücher.example",
    )
