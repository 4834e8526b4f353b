"""An order whose payment stays unconfirmed for too long: its stock is sold to others, buyer and staff are told, and it may still settle."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cryptons.mail.models import Mail
from payments.invoices.settlement import settle
from payments.models import Cursor, Invoice
from payments.sync.facts import mark_slow
from shop.models import Product
from shop.orders.exceptions_queue import read_queue
from shop.tests.paying import newest_option, pay, placed, tell

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(hours=3)


@pytest.fixture
def order(settings):
    """Two of ten kettles, ordered three hours ago. The payment was seen after a minute, and no block took it."""
    settings.STAFF_EMAIL = ["staff@example.com"]
    order = placed(at=timezone.now() - LATER)
    tell(order)
    return order


def hold_ends(order):
    now = order.created_at + LATER
    Cursor.objects.update(answered_at=now)
    mark_slow()
    settle(newest_option(order).invoice_id, at=now)
    order.refresh_from_db()


def test_the_stock_is_released_and_buyer_and_staff_are_told(order, client):
    assert (order.payment_status, Product.objects.get().stock) == ("pending", 8)

    hold_ends(order)

    assert (order.status, order.payment_status, order.holds_stock, Product.objects.get().stock) == ("pending", "pending", False, 10)
    to_buyer = Mail.objects.get(key__startswith="payment_slow:")
    assert to_buyer.subject == f"Your payment for order {order.number} is not confirmed yet"
    assert "You do not have to do anything." in to_buyer.text
    assert "no longer reserved" in Mail.objects.get(to="staff@example.com").text
    assert [case.order for case in read_queue(at=timezone.now()).to_decide] == [order]
    page = client.get(f"/pay/{Invoice.objects.get().pk}/").text
    assert "Your payment is not confirmed yet" in page
    assert "you do not have to pay again" in page
    assert "we no longer reserve the price and the goods" in client.get(f"/orders/{order.access_token}/", follow=True).text


def test_the_stock_is_taken_again_when_the_payment_confirms(order):
    hold_ends(order)

    pay(order, at=order.created_at + LATER)

    assert (order.status, order.payment_status, order.on_hold, Product.objects.get().stock) == ("processing", "paid", False, 8)
    assert read_queue(at=timezone.now()).is_empty


def test_a_payment_of_goods_that_were_sold_meanwhile_is_late(order):
    hold_ends(order)
    Product.objects.update(stock=1)

    pay(order, at=order.created_at + LATER)

    assert (order.status, order.payment_status, Product.objects.get().stock) == ("pending", "late", 1)
    assert Mail.objects.filter(key__startswith="payment_late:").count() == 1
    assert Invoice.objects.get().exceptions == {"late", "slow"}


def test_a_buyer_with_a_new_quote_is_asked_for_money_and_warned_of_paying_twice(order, client):
    hold_ends(order)
    invoice = Invoice.objects.get()
    client.post(f"/pay/{invoice.pk}/quote/?order={order.access_token}", {"network": "BTC", "order": order.access_token})

    page = client.get(f"/pay/{invoice.pk}/").text

    assert "Pay this new quote only if you do not want to wait for it." in page
    assert newest_option(order).destination in page
    order.refresh_from_db()
    assert (order.payment_status, order.holds_stock) == ("pending", True)
