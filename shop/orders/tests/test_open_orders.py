"""A person finds their open order again: in the header, in the list, and by its number and mail address."""

import time
from unittest.mock import Mock

import pytest
from django.conf import settings as shop_settings
from django.test import Client
from django.utils import timezone

from accounts.tests.factories import UserFactory
from cryptons.mail.models import Mail
from cryptons.page_holes import COOKIE, read_visitor
from payments.models import Invoice
from shop.models import Order, OrderLinkRequest
from shop.orders.access import SESSION_KEY
from shop.orders.order_link import _answer, answer_link_requests, normalize
from shop.tests.paying import open_order, pay

pytestmark = pytest.mark.django_db(transaction=True)

SAME_ANSWER = "If an order with this number and email address exists, we have sent its link to that address."


@pytest.fixture
def order():
    return open_order()


@pytest.fixture
def guest(client, order):
    session = client.session
    session[SESSION_KEY] = [str(order.pk)]
    session.save()
    return client


def find(client, number, email, follow=True):
    """Send the form, and do what the worker does with it."""
    answer = client.post("/orders/find/", {"number": number, "email": email}, follow=follow)
    answer_link_requests(at=timezone.now())
    return answer


@pytest.mark.parametrize("path", ["/", "/cart/", "/account/orders/", "/de/"])
def test_an_open_order_of_the_session_is_in_the_header_of_every_page(guest, order, path):
    prefix = "/de" if path == "/de/" else ""
    for _ in range(2):  # made for this visitor, then a ready page that is filled from the cookie
        assert f'href="{prefix}/orders/{order.number}/pay/"' in guest.get(path).text


def test_other_visitors_do_not_see_the_open_order(guest, order):
    guest.get("/")
    for path in ("/", "/cart/", "/account/orders/"):
        assert order.number not in Client().get(path).text
    locked = Client().get(f"/orders/{order.number}/pay/")
    assert locked.status_code == 404
    assert "Find an order that you have placed" in locked.text


def test_the_link_of_somebody_elses_order_does_not_ask_who_opens_it_to_pay(client, order):
    assert client.get(f"/orders/{order.access_token}/", follow=True).status_code == 200

    assert f'href="/orders/{order.number}/"' in client.get("/account/orders/").text
    for path in ("/", "/cart/"):
        assert order.number not in client.get(path).text
    assert client.get("/checkout/payment/")["Location"] == "/cart/"


def test_an_open_order_of_a_user_is_in_the_header_of_every_page(client):
    ada = UserFactory()
    order = open_order(user=ada)
    client.force_login(ada)
    for path in ("/", "/cart/"):
        assert f'href="/orders/{order.number}/pay/"' in client.get(path).text


def test_the_link_in_the_header_leads_to_the_payment(guest, order):
    assert guest.get(f"/orders/{order.number}/pay/")["Location"] == f"/pay/{Invoice.objects.get().pk}/"


@pytest.mark.parametrize("page", ["/pay/{}/", "/pay/{}/status"])
def test_a_paid_order_leaves_the_header_with_the_first_page_that_shows_it_as_paid(guest, order, page):
    guest.get("/")
    visitor = read_visitor(guest.cookies[COOKIE].value, guest.cookies[shop_settings.SESSION_COOKIE_NAME].value, at=time.time())
    assert visitor.open_order == order.number
    pay(order)

    guest.get(page.format(Invoice.objects.get().pk))

    assert f"/orders/{order.number}/pay/" not in guest.get("/").text


def test_the_orders_of_a_guests_session_are_listed(guest, order):
    text = guest.get("/account/orders/").text
    assert f'href="/orders/{order.number}/"' in text
    assert "Pay now" in text
    pay(order)
    text = guest.get("/account/orders/").text
    assert f'href="/orders/{order.number}/"' in text
    assert "Pay now" not in text


def test_an_order_is_found_by_number_and_address_with_a_link_that_is_mailed(client, order):
    Mail.objects.all().delete()

    answer = find(client, f" {order.number.lower().replace('-', '')} ", "Ada@Example.com")

    assert SAME_ANSWER in answer.text
    assert order.access_token not in answer.text
    mail = Mail.objects.get()
    assert mail.to == "ada@example.com"
    assert f"/orders/{order.access_token}/" in mail.text
    assert f"/orders/{order.access_token}/" in mail.html
    for typed in (order.shipping_address["name"], "Copper Kettle", "London"):
        assert typed not in mail.text + mail.html


@pytest.mark.parametrize(
    ("number", "email"), [("", "eve@example.com"), ("AAAAA-22222", ""), ("A", ""), ("😀", ""), ("{'$ne': None}", ""), ("\x00", "")]
)
def test_a_number_or_an_address_that_is_wrong_mails_nothing_and_looks_the_same(client, order, number, email):
    Mail.objects.all().delete()
    right = find(client, order.number, order.email, follow=False)
    Mail.objects.all().delete()

    wrong = find(Client(), number or order.number, email or order.email, follow=False)

    if "\x00" not in number:
        assert (wrong.status_code, wrong["Location"]) == (right.status_code, right["Location"])
    assert not Mail.objects.exists()


def test_a_worker_that_dies_loses_no_wish_for_a_link_and_two_workers_mail_it_once(client, order, monkeypatch):
    client.post("/orders/find/", {"number": order.number, "email": order.email})
    Mail.objects.all().delete()
    with monkeypatch.context() as patch:
        patch.setattr("shop.orders.order_link.mail_order_link", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            answer_link_requests(at=timezone.now())
    (request,) = OrderLinkRequest.objects.all()

    for _ in range(2):
        _answer(request, at=timezone.now())

    assert Mail.objects.count() == 1
    assert not OrderLinkRequest.objects.exists()


def test_a_number_that_grows_in_capital_letters_fits_its_column_and_matches_no_other(order):
    longest = OrderLinkRequest._meta.get_field("number").max_length
    assert len(normalize("ﬃ" * 30)) <= longest
    assert normalize(f"{order.number}X") != order.number
    assert normalize(order.number.lower()) == order.number


def test_a_link_is_mailed_once_an_hour_at_most(client, order):
    Mail.objects.all().delete()
    for _ in range(3):
        find(client, order.number, order.email)
    assert Mail.objects.filter(key__startswith="order-link:").count() == 1


def test_looking_for_orders_is_limited_for_each_recipient_without_a_word(client, order, settings):
    settings.RATE_LIMIT_ORDER_MAILS = "1/day"
    find(client, order.number, order.email)
    Mail.objects.all().delete()

    answer = find(client, order.number, order.email)

    assert SAME_ANSWER in answer.text
    assert not Mail.objects.exists()


def test_a_stranger_who_guesses_numbers_does_not_keep_the_buyer_from_finding_an_order(client, order, settings):
    settings.RATE_LIMIT_ORDER_MAILS = "1/day"
    Mail.objects.all().delete()
    for _ in range(2):
        find(Client(), "AAAAA-22222", order.email)

    find(client, order.number, order.email)

    assert Mail.objects.get().to == order.email


def test_looking_for_orders_is_limited_for_each_client_address_and_keeps_what_was_typed(client, order, settings):
    settings.RATE_LIMIT_CHECKOUT = "1/15minutes"
    find(client, order.number, order.email)
    answer = find(client, order.number, order.email)
    assert answer.status_code == 429
    assert f'value="{order.number}"' in answer.text


@pytest.mark.parametrize(("field", "value"), [("number", ""), ("email", ""), ("email", "nobody"), ("number", "9" * 31)])
def test_a_field_that_is_not_filled_in_right_is_marked(client, order, field, value):
    answer = client.post("/orders/find/", {"number": order.number, "email": order.email, field: value})
    assert answer.status_code == 400
    assert "field--invalid" in answer.text


def test_looking_for_an_order_needs_a_csrf_token(order):
    assert find(Client(enforce_csrf_checks=True), order.number, order.email).status_code == 403
    assert Order.objects.exists()
