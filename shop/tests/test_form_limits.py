"""Each form of the storefront is limited for a client address, answers 429 with Retry-After, and keeps what was typed."""

import pytest

from cryptons.api.limits import forget_counts
from payments.models import Invoice
from payments.payouts.refund_links import refund_path
from shop.checkout.tests.test_checkout_pages import BUYER, fill_in, form_of
from shop.models import CartItem, Order
from shop.tests.paying import open_order

pytestmark = pytest.mark.django_db(transaction=True)

OWN = {"headers": {"Sec-Fetch-Site": "same-origin"}}
HTMX = {"headers": {"Sec-Fetch-Site": "same-origin", "HX-Request": "true"}}


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.RATE_LIMIT_CART = settings.RATE_LIMIT_CHECKOUT = "1/15minutes"
    forget_counts()
    yield
    forget_counts()


def refused(answer):
    return (
        answer.status_code == 429 and 0 < int(answer["Retry-After"]) <= 900 and "Too many requests. Try again in 15 minutes." in answer.text
    )


def test_the_address_form_is_limited_and_keeps_what_was_typed(client, item):
    assert fill_in(client).status_code == 302
    answer = fill_in(client, city="Leeds")
    assert refused(answer)
    assert 'value="Leeds"' in answer.text
    assert "Please check the marked fields" not in answer.text  # none is wrong
    assert f'value="{BUYER["email"]}"' in answer.text


def test_placing_an_order_is_limited_and_keeps_address_and_coin(client, item):
    fill_in(client)
    answer = client.post("/checkout/payment/", {**form_of(client.get("/checkout/payment/")), "network": "LTC"})
    assert refused(answer)
    assert "London" in answer.text
    assert 'value="LTC" checked' in answer.text
    assert not Order.objects.exists()
    assert CartItem.objects.exists()


def test_another_client_is_not_limited_by_the_first(client, item):
    fill_in(client)
    assert client.post("/checkout/", BUYER, REMOTE_ADDR="192.0.2.77").status_code == 302


@pytest.mark.parametrize("how", [OWN, HTMX])
def test_adding_to_the_cart_is_limited(client, item, how):
    values = {"product": str(item.product_id), "quantity": 1}
    client.post("/cart/add/", values, **how)
    answer = client.post("/cart/add/", values, **how)
    assert refused(answer)
    assert ("<html" in answer.text) == (how is OWN)
    assert CartItem.objects.get().quantity == 3


@pytest.mark.parametrize("how", [OWN, HTMX])
def test_changing_the_cart_is_limited_and_shows_the_cart(client, item, how):
    client.post("/cart/", {f"quantity-{item.pk}": 3}, **how)
    answer = client.post("/cart/", {f"quantity-{item.pk}": 4}, **how)
    assert refused(answer)
    assert "Copper Kettle" in answer.text
    assert ("<html" in answer.text) == (how is OWN)
    assert CartItem.objects.get().quantity == 3


@pytest.mark.parametrize("page", ["cancel", "money-back", "again"])
def test_the_forms_of_an_order_are_limited(client, page):
    order = open_order()
    path = f"/orders/{order.access_token}/{page}/"
    assert client.post(path).status_code == 302
    assert refused(client.post(path))


def test_a_new_quote_is_limited(client):
    order = open_order()
    path = f"/pay/{Invoice.objects.get().pk}/quote/?order={order.access_token}"
    assert client.post(path, {"network": "LTC"}).status_code == 302
    answer = client.post(path, {"network": "XRP"})
    assert refused(answer)
    assert 'value="XRP" checked' in answer.text


def test_the_buttons_of_the_sandbox_are_limited(client):
    open_order()
    path = f"/sandbox/{Invoice.objects.get().pk}/"
    assert client.post(path, {"play": "exact"}).status_code == 302
    assert refused(client.post(path, {"play": "exact"}))


def test_the_refund_page_says_when_to_come_back(client, monkeypatch):
    monkeypatch.setattr("payments.payouts.refund_page.LIMIT", "1/15minutes")
    open_order()
    path = refund_path(Invoice.objects.get().pk)
    client.post(path)
    assert refused(client.post(path))


@pytest.mark.parametrize("path", ["/account/login/", "/account/register/"])
def test_the_forms_of_accounts_say_when_to_come_back(client, settings, path):
    settings.RATE_LIMIT_AUTH = "1/15minutes"
    wrong = {"name": "ada", "password": "not her password"}
    client.post(path, wrong)
    assert 0 < int(client.post(path, wrong)["Retry-After"]) <= 900


def test_reading_pages_is_not_limited(client, item):
    assert {client.get("/cart/").status_code for _ in range(5)} == {200}
    assert {client.get("/checkout/").status_code for _ in range(5)} == {200}
