"""What a buyer sees of an order, by a link that nobody guesses."""

import pytest
from django.test import Client

from accounts.tests.factories import UserFactory
from payments.models import Payment
from shop.models import CartItem, Order, Product
from shop.orders.lifecycle import cancel_own_order, change_status
from shop.orders.state import current_invoice
from shop.tests.factories import ADDRESS, NOW, OrderFactory, OrderLineFactory
from shop.tests.paying import TOO_LATE, open_order, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)


def page(client, order):
    return client.get(f"/orders/{order.access_token}/", follow=True).text


def test_the_link_of_an_order_shows_it_without_a_login(client):
    order = open_order()
    text = page(client, order)
    for words in (
        f"Order {order.number}",
        "Copper Kettle",
        "$99.98",
        "London",
        "ada@example.com",
        "Order placed",
        "We are waiting for your payment.",
    ):
        assert words in text
    assert "/pay/" in text


@pytest.mark.parametrize("token", ["nonsense", "x" * 32, "%00", "😀", "..", "' OR 1=1"])
def test_a_link_with_another_key_shows_no_order(client, token):
    open_order()
    assert client.get(f"/orders/{token}/").status_code == 404


def test_the_number_of_an_order_does_not_open_its_page(client):
    order = open_order()
    known, unknown = client.get(f"/orders/{order.number}/"), client.get("/orders/AAAAA-AAAAA/")
    assert (known.status_code, unknown.status_code) == (404, 404)
    assert known.text.replace(order.number, "AAAAA-AAAAA") == unknown.text
    assert "Open the link in our email about your order again" in known.text


@pytest.mark.parametrize("path", ["", "cancel/"])
def test_the_key_of_a_link_is_in_the_address_once(client, path):
    """Links in mails work on each device, and afterwards no log, history or link of the pages has the key."""
    order = open_order()

    for device in (client, Client()):
        first = device.get(f"/orders/{order.access_token}/{path}")
        assert (first.status_code, first.url) == (302, f"/orders/{order.number}/{path}")
        page = device.get(first.url)
        assert page.status_code == 200
        assert order.access_token not in page.text
    assert Client().get(f"/orders/{order.number}/{path}").status_code == 404


@pytest.mark.parametrize("page", ["", "quote/"])
def test_the_key_of_a_link_to_the_payment_is_in_the_address_once(client, page):
    order = open_order()
    path = f"/pay/{current_invoice(order).pk}/{page}"

    first = client.get(f"{path}?order={order.access_token}")

    assert (first.status_code, first.url) == (302, path)
    text = client.get(path).text
    assert order.access_token not in text
    assert f"/orders/{order.number}/" in text or "radio" in text


def test_opening_the_link_of_one_order_shows_no_other(client):
    order, other = open_order(), open_order(product__sku="POT")
    client.get(f"/orders/{order.access_token}/")
    assert client.get(f"/orders/{other.number}/").status_code == 404


def test_the_user_who_placed_the_order_sees_it_by_its_number(client):
    ada = UserFactory()
    order = open_order(user=ada)
    assert client.get(f"/orders/{order.number}/").status_code == 404
    client.force_login(ada)
    assert order.number in client.get(f"/orders/{order.number}/").text


@pytest.mark.parametrize("path", ["", "cancel/"])
def test_order_pages_are_not_indexed_cached_or_sent_as_referrer(client, path):
    link = client.get(f"/orders/{open_order().access_token}/{path}")
    response = client.get(link.url)
    assert "no-store" in link["Cache-Control"]
    assert link["Referrer-Policy"] == "same-origin"
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert response["Referrer-Policy"] == "same-origin"
    assert "no-store" in response["Cache-Control"]


def test_the_history_shows_each_step_of_the_order(client):
    order = open_order()
    tell(order)
    pay(order)
    change_status(order.pk, "shipped", actor="grace", at=NOW)
    text = page(client, order)
    text = text[text.index("History") :]
    steps = ["Order placed", "Payment seen, not confirmed yet", "Paid: we are preparing your order", "Shipped"]
    assert sorted(steps, key=text.index) == steps
    assert "Your order has been shipped." in page(client, order)
    assert "grace" not in page(client, order)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([tell], "We have seen your payment"),
        ([pay], "Paid. We are preparing your order."),
        ([lambda order: tell(order, percent=60)], "Part of the price is still to be paid."),
        ([run_out], "The time to pay has expired."),
        ([run_out, lambda order: tell(order, seen_at=TOO_LATE, at=TOO_LATE)], "Your payment arrived after the quote had expired."),
        ([pay, tell], "We need to check your payment before we can ship."),
        ([lambda order: change_status(order.pk, "cancelled", actor="grace", at=NOW)], "This order is cancelled. You do not have to pay"),
        ([pay, lambda order: change_status(order.pk, "cancelled", actor="grace", at=NOW)], "We are refunding what you paid"),
    ],
)
def test_the_order_page_describes_every_state(client, steps, words):
    order = placed()
    for step in steps:
        step(order)
    assert words in page(client, order)


def test_the_order_page_does_not_show_notes_of_staff(client):
    order = placed()
    Order.objects.update(note="a difficult customer")
    pay(order)
    tell(order)
    order.refresh_from_db()
    text = page(client, order)
    assert order.hold_reason not in text
    assert "difficult" not in text


def test_cancelling_an_order_asks_for_confirmation_first(client):
    order = open_order()
    cancel = f"/orders/{order.number}/cancel/"
    assert cancel in page(client, order)
    assert f"Cancel order {order.number}?" in client.get(cancel).text
    assert Order.objects.get().status == "pending"

    response = client.post(cancel, follow=True)

    assert "The order is cancelled." in response.text
    assert Order.objects.get().status == "cancelled"
    assert Product.objects.get().stock == 10


def test_cancelling_an_order_needs_a_csrf_token():
    order = open_order()
    assert Client(enforce_csrf_checks=True).post(f"/orders/{order.access_token}/cancel/").status_code == 403


def test_the_buyer_cannot_cancel_an_order_with_a_payment(client):
    order = open_order()
    tell(order)
    cancel = f"/orders/{order.number}/cancel/"
    assert cancel not in page(client, order)
    assert client.get(cancel).status_code == 302
    assert "We have already seen a payment for this order" in client.post(cancel, follow=True).text
    assert Order.objects.get().status == "pending"


def test_an_expired_order_can_be_ordered_again(client):
    order = open_order()
    run_out(order)
    again = f"/orders/{order.number}/again/"
    assert again in page(client, order)

    assert "$99.98" in client.post(again, follow=True).text

    assert CartItem.objects.get().quantity == 2


def test_ordering_again_names_products_that_are_no_longer_sold(client):
    order = open_order()
    run_out(order)
    Product.objects.all().delete()
    assert "Copper Kettle is no longer sold." in client.post(f"/orders/{order.access_token}/again/", follow=True).text


def test_the_page_of_an_open_order_does_not_offer_to_order_again(client):
    assert "/again/" not in page(client, open_order())


def test_the_receipt_of_a_paid_order_says_what_was_paid(client):
    order = open_order()
    pay(order)
    payment = Payment.objects.get()

    text = client.get(f"/orders/{order.access_token}/receipt/", follow=True).text

    for words in (f"Receipt for order {order.number}", "2 × Copper Kettle", "$99.98", "0.00153816 BTC", payment.reference, "London"):
        assert words in text
    assert "0.00153816 BTC" in page(client, order)
    assert f'href="/orders/{order.number}/receipt/"' in page(client, order)


def test_a_stranger_cannot_open_the_receipt():
    order = open_order()
    assert Client().get(f"/orders/{order.number}/receipt/").status_code == 404


def test_a_cancelled_order_does_not_say_that_it_is_unpaid(client):
    order = open_order()
    cancel_own_order(order.pk, at=order.created_at)
    text = page(client, order)
    assert "You do not have to pay anything for it." in text
    assert 'badge--muted">Unpaid' not in text
    assert ">Unpaid<" not in text


def test_the_products_of_an_order_have_links_while_they_are_sold(client):
    order = open_order()
    link = f'href="{Product.objects.get().get_absolute_url()}"'
    assert link in page(client, order)
    Product.objects.update(is_listed=False)
    assert link not in page(client, order)


def test_the_orders_of_a_user_are_listed_newest_first(client):
    ada = UserFactory()
    client.force_login(ada)
    old, new = OrderFactory(user=ada), OrderFactory(user=ada, created_at=NOW.replace(hour=13))
    other = OrderFactory(user=UserFactory())

    text = client.get("/account/orders/").text

    assert text.index(new.number) < text.index(old.number)
    assert other.number not in text


def test_a_user_without_orders_sees_an_empty_list(client):
    client.force_login(UserFactory())
    assert "No orders yet." in client.get("/account/orders/").text


@pytest.mark.parametrize("number", ["2", "0", "-1", "x", "999999999999999999999", "\x00", "1.5"])
def test_a_long_list_of_orders_is_split_into_pages(client, number):
    ada = UserFactory()
    client.force_login(ada)
    OrderFactory.create_batch(21, user=ada)
    response = client.get("/account/orders/", {"page": number})
    assert response.status_code == 200
    assert "of 2" in response.text


def test_a_guest_without_orders_is_offered_to_log_in_or_to_find_one(client):
    text = client.get("/account/orders/").text
    assert "Orders that you place in this browser are listed here." in text
    assert 'href="/account/login/?next=/account/orders/"' in text
    assert 'action="/orders/find/"' in text


def test_own_orders_are_found_by_goods_name_and_number(client):
    ada = UserFactory()
    client.force_login(ada)
    kettle = OrderFactory(user=ada, shipping_address={**ADDRESS, "name": "Grace Hopper"})
    OrderLineFactory(order=kettle, name="Copper Kettle")
    OrderLineFactory(order=kettle, name="Apron")
    plain = OrderFactory(user=ada, shipping_address={**ADDRESS, "name": "Ada"})
    of_others = OrderLineFactory(order__user=UserFactory(), name="Copper Kettle").order

    def found(query):
        text = client.get("/account/orders/", {"q": query}).text
        assert of_others.number not in text
        return {order for order in (kettle, plain) if f'href="/orders/{order.number}/"' in text}

    assert "2 × Copper Kettle and 1 more" in client.get("/account/orders/").text
    for query in ("kettle", "COPPER kettle", "grace", kettle.number, kettle.number.replace("-", "").lower()):
        assert found(query) == {kettle}, query
    assert found("") == {kettle, plain}
    assert found("kettle grace") == set()
    assert "No order of yours matches “kettle grace”." in client.get("/account/orders/", {"q": "kettle grace"}).text


@pytest.mark.parametrize(("orders", "is_offered"), [(5, False), (6, True)])
def test_a_search_is_offered_when_there_are_many_orders(client, orders, is_offered):
    ada = UserFactory()
    client.force_login(ada)
    OrderFactory.create_batch(orders, user=ada)

    assert ('name="q" id="order-query"' in client.get("/account/orders/").text) == is_offered


def test_the_pages_of_a_search_keep_the_words(client):
    ada = UserFactory()
    client.force_login(ada)
    OrderFactory.create_batch(21, user=ada, shipping_address={**ADDRESS, "city": "Köln"})

    assert "?q=k%C3%B6ln&amp;page=2" in client.get("/account/orders/", {"q": "köln"}).text


def test_search_and_pages_lead_to_the_list_from_the_answer_to_a_wrong_form_too(client):
    ada = UserFactory()
    client.force_login(ada)
    OrderFactory.create_batch(21, user=ada)

    text = client.post("/orders/find/", {"number": "", "email": "no address"}).text

    assert '<form action="/account/orders/" class="order-search"' in text
    assert 'href="/account/orders/?page=2"' in text
