"""An order whose payment was taken back: what staff can do with it."""

import pytest

from cryptons.mail.models import Mail
from shop.admin.tests.exceptions import QUEUE, invoice_of, long_ago, press, shown, staff_who_may
from shop.models import Product
from shop.tests.paying import TIP, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)


def double_spent_order(*, left=0, runs_out=True):
    """An order whose payment was double spent; `left` percent of the price are still there."""
    order = long_ago()
    if left:
        tell(order, percent=left, height=TIP - 1, reference="left:0")
    tell(order, percent=100 - left)
    tell(order, percent=100 - left, present=False, conflicted=True)
    if runs_out:
        run_out(order)
    return order


def cancel_path(order):
    return f"/admin/shop/order/{order.pk}/cancel/do/"


def test_a_double_spent_order_offers_to_ask_again_or_to_cancel(client, grace):
    order = double_spent_order()
    text = shown(client)
    assert "Ask for a new payment" in text
    assert cancel_path(order) in text
    for words in ("Accept as paid", "Close as invalid", "/payout/draft/"):
        assert words not in text


def test_the_buyer_of_a_double_spent_order_is_asked_to_pay_again(client, grace):
    order = double_spent_order()
    assert "Ask for a new payment" in client.get(f"{QUEUE}{invoice_of(order).pk}/ask/").text

    press(client, order, "ask")

    order.refresh_from_db()
    mail = Mail.objects.get(key__startswith="payment_rest")
    assert (mail.to, mail.subject) == ("ada@example.com", f"Please pay again for order {order.number}")
    assert "the network did not confirm it" in mail.text
    assert "refund" not in mail.text
    assert (order.holds_stock, invoice_of(order).status) == (True, "new")


def test_cancelling_a_double_spent_order_releases_its_stock(client, grace):
    order = double_spent_order(runs_out=False)
    before = Product.objects.get().stock
    client.post(cancel_path(order), {"reason": "double spent"}, follow=True)
    order.refresh_from_db()
    assert (order.status, Product.objects.get().stock) == ("cancelled", before + 2)
    assert order.number not in shown(client)


def test_what_is_left_of_a_double_spent_order_can_be_refunded(client, grace):
    order = double_spent_order(left=40)
    assert f"/admin/payments/payout/draft/{invoice_of(order).pk}/late/" in shown(client)


def test_a_double_spent_order_that_can_still_be_paid_can_be_closed_and_refunded(client, grace):
    order = double_spent_order(left=40, runs_out=False)
    assert "/decide/close/" in shown(client)
    press(client, order, "close")
    assert f"/admin/payments/payout/draft/{invoice_of(order).pk}/late/" in shown(client)


def test_staff_who_may_not_change_orders_are_not_offered_to_cancel_one(client):
    staff_who_may(client, "view_invoice", "change_invoice", "view_order")
    order = double_spent_order()
    assert cancel_path(order) not in shown(client)
