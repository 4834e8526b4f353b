"""Address, way to pay, order: in the browser."""

import re

import pytest
from django.utils.module_loading import import_string
from django.utils.translation import override

from accounts.tests.factories import PASSWORD, UserFactory
from cryptons.mail.models import Mail
from payments.errors import NodeUnavailable, RateUnavailable
from payments.models import Cursor, Invoice
from payments.networks.sandbox.network import SandboxNetwork
from shop.cart.contents import cart_of
from shop.checkout.forms import CheckoutForm
from shop.models import CartItem, Order, Product
from shop.tests.factories import ADDRESS, NOW, CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)

BUYER = {**ADDRESS, "email": "ada@example.com"}


@pytest.fixture
def ada(client):
    ada = UserFactory(email="ada@example.com", first_name="Ada")
    client.force_login(ada)
    return ada


def fill_in(client, **change):
    return client.post("/checkout/", {**BUYER, **change})


def form_of(page):
    return {name: re.search(f'name="{name}" value="([^"]*)"', page.text)[1] for name in ("token", "agreed")}


def order(client, network="BTC", **change):
    fill_in(client)
    form = form_of(client.get("/checkout/payment/"))
    return client.post("/checkout/payment/", {**form, "network": network, **change})


def test_each_field_of_the_checkout_has_a_label_that_can_be_translated():
    form = CheckoutForm(has_account=True)
    assert [name for name, field in form.fields.items() if not field.label] == []
    with override("de"):
        assert form["email"].label == "E-Mail"


def test_a_guest_can_order_in_three_pages(client, item):
    assert "Shipping address" in client.get("/checkout/").text
    assert fill_in(client)["Location"] == "/checkout/payment/"
    review = client.get("/checkout/payment/")
    assert "2 × Copper Kettle" in review.text
    assert "Order and pay $99.98" in review.text
    assert "about 0.00153816 BTC" in review.text
    assert "London" in review.text

    paying = client.post("/checkout/payment/", {**form_of(review), "network": "BTC"})

    placed, invoice = Order.objects.get(), Invoice.objects.get()
    assert paying["Location"] == f"/pay/{invoice.pk}/"
    assert (placed.email, placed.user, placed.shipping_address, placed.network) == ("ada@example.com", None, ADDRESS, "BTC")
    assert f"/orders/{placed.number}/" in client.get(paying["Location"]).text


def test_the_checkout_is_filled_in_from_the_account_of_the_user(client, ada):
    ada.address = ADDRESS
    ada.save()
    CartItemFactory(cart=cart_of(ada))
    page = client.get("/checkout/").text
    assert 'value="ada@example.com"' in page
    assert 'value="12 Example Road"' in page

    order(client)

    assert Order.objects.get().user == ada


@pytest.mark.parametrize(("ticked", "kept"), [({"save_address": "on"}, ADDRESS), ({}, {})])
def test_the_address_is_saved_for_a_user_who_ticks_the_box(client, ada, ticked, kept):
    CartItemFactory(cart=cart_of(ada))
    fill_in(client, **ticked)
    client.post("/checkout/payment/", {**form_of(client.get("/checkout/payment/")), "network": "BTC"})
    ada.refresh_from_db()
    assert ada.address == kept


def test_a_guest_is_not_asked_to_save_the_address(client, item):
    assert "save_address" not in client.get("/checkout/").text


def test_logging_in_during_the_checkout_keeps_the_cart(client, item):
    user = UserFactory()
    response = client.post("/account/login/", {"name": user.username, "password": PASSWORD, "next": "/checkout/"})
    assert response["Location"] == "/checkout/"
    assert "2 × Copper Kettle" in client.get("/checkout/").text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", ""),
        ("email", "nobody"),
        ("email", "a" * 260 + "@example.com"),
        ("email", "a@b\x00.example"),
        ("name", ""),
        ("name", "x" * 101),
        ("name", "\x00"),
        ("name", "customer,\n\nyour account is locked"),
        ("name", "\u202eevil"),
        ("street", "https://evil.example"),
        ("street2", "a\u2028b"),
        ("city", "www.evil.example"),
        ("region", "a\tb"),
        ("postalCode", "www.evil"),
        ("street", "   "),
        ("postalCode", "9" * 21),
        ("city", ""),
        ("country", "XX"),
        ("country", ""),
        ("country", "{'$ne': None}"),
    ],
)
def test_an_invalid_address_is_marked_and_keeps_the_other_fields(client, item, field, value):
    response = fill_in(client, **{field: value})
    assert response.status_code == 400
    assert "field--invalid" in response.text
    assert "<title>Please check the marked fields. · Checkout" in response.text
    assert 'aria-invalid="true"' in response.text
    if field != "name":
        assert 'value="Ada Lovelace"' in response.text


@pytest.mark.parametrize("name", ["😀 O'Neil", "نه‌تنها", "<b>bold</b>"])
def test_unusual_names_are_accepted_and_escaped(client, item, name):
    assert fill_in(client, name=name).status_code == 302
    assert "<b>bold" not in client.get("/checkout/payment/").text


def test_the_address_form_keeps_its_values_when_the_buyer_goes_back(client, item):
    fill_in(client, city="Leeds")
    assert 'value="Leeds"' in client.get("/checkout/").text


@pytest.mark.parametrize("path", ["/checkout/", "/checkout/payment/"])
def test_checking_out_an_empty_cart_redirects_to_the_cart(client, path):
    assert client.get(path)["Location"] == "/cart/"


def test_the_payment_page_redirects_to_the_address_while_it_is_missing(client, item):
    assert client.get("/checkout/payment/")["Location"] == "/checkout/"
    assert client.post("/checkout/payment/", {"network": "BTC"})["Location"] == "/checkout/"


def test_a_network_that_is_down_cannot_be_chosen_and_says_why(client, item):
    Cursor.objects.create(network="BTC", failing_since=NOW)
    fill_in(client)
    page = client.get("/checkout/payment/").text
    assert "Bitcoin cannot be reached right now. Please choose another way to pay." in page
    assert re.search(r'value="BTC" disabled', page)
    assert re.search(r'value="LTC" checked', page)


def test_a_node_that_fails_when_ordering_keeps_the_cart_and_the_address(client, item, monkeypatch):
    def fail(self, request):
        raise NodeUnavailable("http://user:secret@10.0.0.1 refused")

    monkeypatch.setattr(SandboxNetwork, "open_destination", fail)
    response = order(client)

    assert response.status_code == 200
    assert "Bitcoin cannot be reached right now. Nothing was ordered and your cart is kept." in response.text
    assert "secret" not in response.text
    assert re.search(r'value="BTC" disabled', response.text)
    assert re.search(r'value="LTC" checked', response.text)
    assert "London" in response.text
    assert CartItem.objects.exists()
    monkeypatch.undo()
    assert client.post("/checkout/payment/", {**form_of(response), "network": "LTC"}).status_code == 302
    assert Order.objects.get().network == "LTC"


def test_ordering_without_an_exchange_rate_shows_an_error(client, item, monkeypatch):
    def fail(*args, **more):
        raise RateUnavailable("There is no fresh BTC price right now.")

    monkeypatch.setattr("payments.invoices.opening.rate_for", fail)
    assert "There is no fresh BTC price right now." in order(client).text
    assert not Order.objects.exists()


def test_the_payment_page_says_when_no_payment_method_is_available(client, item, settings):
    settings.SANDBOX = False
    fill_in(client)
    page = client.get("/checkout/payment/").text
    assert "No payment method is available right now." in page
    assert re.search(r"<button[^>]* disabled", page)


@pytest.mark.parametrize("network", ["", "DOGE", "\x00", "😀", "BTC-LN", "x" * 100])
def test_choosing_an_unknown_coin_is_refused(client, item, network):
    response = order(client, network=network)
    assert response.status_code == 400
    assert 'role="alert"' in response.text
    assert not Order.objects.exists()


@pytest.mark.parametrize("change", [{"token": "nonsense"}, {"token": "\x00"}, {"agreed": ""}])
def test_an_invalid_checkout_form_is_refused(client, item, change):
    response = order(client, **change)
    assert response.status_code == 400
    assert not Order.objects.exists()


@pytest.mark.parametrize("agreed", ["nonsense", ":::,,,", "😀", f"{'9' * 40}:1:{'9' * 40}"])
def test_an_order_is_refused_when_the_buyer_has_not_seen_its_prices(client, item, agreed):
    assert order(client, agreed=agreed).status_code == 409
    assert not Order.objects.exists()


def test_a_price_that_changed_during_the_checkout_is_shown_before_ordering(client, item):
    fill_in(client)
    form = form_of(client.get("/checkout/payment/"))
    Product.objects.update(price_minor=5_999)

    response = client.post("/checkout/payment/", {**form, "network": "LTC"})

    assert response.status_code == 409
    assert "Copper Kettle: was $49.99, is now $59.99." in response.text
    assert re.search(r'value="LTC" checked', response.text)
    assert not Order.objects.exists()
    client.post("/checkout/payment/", {**form_of(response), "network": "LTC"})
    assert Order.objects.get().total_minor == 11_998


def test_stock_that_ran_short_during_the_checkout_redirects_to_the_cart(client, item):
    fill_in(client)
    form = form_of(client.get("/checkout/payment/"))
    Product.objects.update(stock=1)
    response = client.post("/checkout/payment/", {**form, "network": "BTC"}, follow=True)
    assert "Only 1 of Copper Kettle is left. Please lower the quantity to 1." in response.text
    assert not Order.objects.exists()


def test_pressing_the_order_button_twice_makes_one_order(client, item):
    fill_in(client)
    form = {**form_of(client.get("/checkout/payment/")), "network": "BTC"}

    first = client.post("/checkout/payment/", form)
    second = client.post("/checkout/payment/", form)

    assert second["Location"] == first["Location"]
    assert Order.objects.count() == 1


@pytest.mark.parametrize(("stock", "left"), [(10, 8), (2, 0)])
@pytest.mark.parametrize("moment", ["shop.checkout.pages.read_cart", "shop.checkout.placing.prepare_offers"])
def test_pressing_the_order_button_twice_at_once_leads_to_the_pay_page_both_times(client, item, monkeypatch, moment, stock, left):
    """The other request places the order while this one reads the cart, or asks the node. With the last pieces, too."""
    Product.objects.update(stock=stock)
    fill_in(client)
    form = {**form_of(client.get("/checkout/payment/")), "network": "BTC"}
    function, answers = import_string(moment), []

    def meet(*args, **more):
        monkeypatch.setattr(moment, function)
        answers.append(client.post("/checkout/payment/", form))
        return function(*args, **more)

    monkeypatch.setattr(moment, meet)
    answers.append(client.post("/checkout/payment/", form))

    assert [answer["Location"] for answer in answers] == [f"/pay/{Invoice.objects.get().pk}/"] * 2
    assert (Order.objects.count(), Product.objects.get().stock) == (1, left)


def test_submitting_an_old_form_again_makes_no_second_order(client, item):
    fill_in(client)
    form = {**form_of(client.get("/checkout/payment/")), "network": "BTC"}
    first = client.post("/checkout/payment/", form)
    client.post("/cart/add/", {"product": ProductFactory().pk, "quantity": 1}, headers={"Sec-Fetch-Site": "same-origin"})

    assert client.post("/checkout/payment/", form)["Location"] == first["Location"]

    assert CartItem.objects.count() == 1


@pytest.mark.parametrize("moment", ["shop.checkout.placing.read_cart", "shop.checkout.placing.prepare_offers"])
def test_a_second_press_leads_to_the_pay_page_also_when_the_node_fails_it(client, item, monkeypatch, moment):
    fill_in(client)
    form = {**form_of(client.get("/checkout/payment/")), "network": "BTC"}
    answers = []

    def meet(*args, **more):
        monkeypatch.undo()
        answers.append(client.post("/checkout/payment/", form))
        raise NodeUnavailable("silent")

    monkeypatch.setattr(moment, meet)
    answers.append(client.post("/checkout/payment/", form))

    assert [answer["Location"] for answer in answers] == [f"/pay/{Invoice.objects.get().pk}/"] * 2


def test_ordering_the_same_cart_in_a_second_tab_leads_to_the_pay_page(client, item):
    fill_in(client)
    first, second = ({**form_of(client.get("/checkout/payment/")), "network": "BTC"} for _ in range(2))
    assert first["token"] != second["token"]

    answers = [client.post("/checkout/payment/", form) for form in (first, second)]

    assert [answer["Location"] for answer in answers] == [f"/pay/{Invoice.objects.get().pk}/"] * 2


def test_ordering_in_two_tabs_at_once_leads_to_the_pay_page_both_times(client, item, monkeypatch):
    fill_in(client)
    forms = [{**form_of(client.get("/checkout/payment/")), "network": "BTC"} for _ in range(2)]
    moment = "shop.checkout.placing.prepare_offers"
    function, answers = import_string(moment), []

    def meet(*args, **more):
        monkeypatch.setattr(moment, function)
        answers.append(client.post("/checkout/payment/", forms[1]))
        return function(*args, **more)

    monkeypatch.setattr(moment, meet)
    answers.append(client.post("/checkout/payment/", forms[0]))

    assert [answer["Location"] for answer in answers] == [f"/pay/{Invoice.objects.get().pk}/"] * 2


@pytest.mark.parametrize("path", ["/checkout/", "/checkout/payment/"])
def test_going_back_after_the_order_finds_it(client, item, path):
    order(client)
    assert client.get(path)["Location"] == f"/pay/{Invoice.objects.get().pk}/"


def test_a_new_cart_can_be_ordered_while_an_order_is_open(client, item):
    order(client)
    client.post("/cart/add/", {"product": ProductFactory().pk, "quantity": 1}, headers={"Sec-Fetch-Site": "same-origin"})

    page = client.get("/checkout/")

    assert page.status_code == 200
    assert f"Order {Order.objects.get().number} waits for your payment." in page.text


def test_the_checkout_form_is_deleted_from_the_session_after_the_order(client, item):
    order(client)
    assert "checkout" not in client.session


def test_checkout_pages_are_not_cached(client, item):
    assert "no-store" in client.get("/checkout/")["Cache-Control"]


def test_a_german_buyer_orders_on_german_pages_and_gets_a_german_mail(client, item, settings):
    assert client.post("/de/checkout/", BUYER)["Location"] == "/de/checkout/payment/"
    review = client.get("/de/checkout/payment/")
    assert "99,98\u00a0$" in review.text

    paying = client.post("/de/checkout/payment/", {**form_of(review), "network": "BTC"})

    placed = Order.objects.get()
    assert placed.language == "de"
    assert paying["Location"] == f"/de/pay/{Invoice.objects.get().pk}/"
    assert client.get(paying["Location"]).status_code == 200
    mail = Mail.objects.get()
    assert "99,98\u00a0$" in mail.text
    assert f"{settings.PUBLIC_URL}/de/orders/{placed.access_token}/" in mail.text
    assert f"{settings.PUBLIC_URL}/de/pay/{Invoice.objects.get().pk}/" in mail.html
