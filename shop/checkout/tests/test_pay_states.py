"""What the pay page says of each state that a payment can be in."""

from datetime import timedelta

import pytest

from payments.invoices.buyer_view import read_buyer_view
from payments.invoices.opening import override_invoice
from payments.models import Invoice, Option
from payments.tests.factories import PayoutFactory
from shop.checkout.pay_page import describe
from shop.checkout.requoting import requote_order
from shop.orders.lifecycle import cancel_own_order
from shop.tests.paying import LATE, TIP, TOO_LATE, invoice_of, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)


def state_of(order, at):
    return describe(read_buyer_view(invoice_of(order).pk), at=at)


def test_the_favicon_of_an_expired_quote_says_so():
    order = placed()
    run_out(order)
    assert state_of(order, LATE).icon == "img/pay-expired.svg"


def test_the_pay_page_describes_each_state_of_a_payment():
    order = placed()
    at = order.created_at + timedelta(minutes=1)
    assert state_of(order, at).title == "Waiting for your payment"
    tell(order)
    assert state_of(order, at).title == "Seen, 0 of 2 confirmations"
    tell(order, present=False, conflicted=True)
    assert (state_of(order, at).name, state_of(order, at).asks_for_money) == ("double-spent", True)
    pay(order, reference="b" * 64 + ":0")
    assert (state_of(order, at).name, state_of(order, at).seconds) == ("settled", 0)
    tell(order, reference="b" * 64 + ":0")
    assert (state_of(order, at).name, state_of(order, at).tone) == ("reorged", "warning")


def test_an_overpaid_invoice_says_by_how_much():
    order = placed()
    pay(order, percent=150)
    assert "You overpaid by $49.99" in state_of(order, order.created_at).text


def test_an_expired_underpaid_invoice_says_how_much_was_received():
    order = placed()
    tell(order, percent=60)
    run_out(order)
    state = state_of(order, LATE)
    assert (state.name, state.title) == ("underpaid", "$59.98 of $99.98 received")


def test_late_money_is_shown_as_late():
    order = placed()
    run_out(order)
    tell(order, seen_at=TOO_LATE, at=TOO_LATE)
    assert state_of(order, TOO_LATE).title == "Your payment arrived late"


def test_an_expired_double_spend_is_shown_as_a_double_spend():
    order = placed()
    tell(order)
    tell(order, present=False, conflicted=True)
    run_out(order)
    assert state_of(order, LATE).name == "double-spent-expired"


@pytest.mark.parametrize(
    ("status", "name"), [("draft", "refunding"), ("unknown", "refunding"), ("sent", "refunded"), ("failed", "underpaid")]
)
def test_a_refund_is_shown_in_each_of_its_states(status, name):
    order = placed()
    tell(order, percent=60, height=TIP - 1)
    run_out(order)
    PayoutFactory(invoice=invoice_of(order), kind="late", status=status)
    state = state_of(order, LATE)
    assert state.name == name
    assert "do not send money" in state.text or status == "failed"


@pytest.mark.parametrize(("status", "title"), [("approved", "Your refund is on its way"), ("sent", "Your refund was sent")])
def test_a_full_or_partial_refund_of_a_paid_order_is_shown(status, title):
    order = placed()
    pay(order)
    PayoutFactory(invoice=invoice_of(order), kind="refund", status=status)
    assert state_of(order, LATE).title == title


def test_refunding_the_excess_leaves_the_order_paid():
    order = placed()
    pay(order, percent=150)
    assert state_of(order, LATE).can_request_refund
    PayoutFactory(invoice=invoice_of(order), kind="excess", status="sent")
    state = state_of(order, LATE)
    assert (state.name, state.can_request_refund) == ("settled", False)
    assert "You overpaid by $49.99, which we have refunded." in state.text


def test_a_late_payment_during_a_new_quote_is_not_asked_for_again():
    order = placed()
    old = Option.objects.get()
    order = requote_order(order.pk, "LTC", at=LATE)
    tell(order, option=old, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE)
    Invoice.objects.update(status="new", expires_at=TOO_LATE + timedelta(minutes=5))
    state = state_of(order, TOO_LATE)
    assert (state.name, state.asks_for_money, state.quote_words) == ("late", False, "Use it at today's rate")


def test_a_cancelled_payment_is_shown_as_cancelled():
    order = placed()
    cancel_own_order(order.pk, at=order.created_at)
    assert state_of(order, order.created_at).title == "Cancelled"
    tell(order)
    assert state_of(order, order.created_at).title == "This payment was closed"


def test_a_payment_that_the_shop_closed_is_shown_as_closed():
    order = placed()
    override_invoice(invoice_of(order).pk, "invalid", actor="grace", reason="why not", at=order.created_at)
    assert state_of(order, order.created_at).title == "Closed by the shop"


def test_an_expired_pay_page_stops_polling_after_a_while():
    order = placed()
    run_out(order)
    assert state_of(order, LATE).seconds == 15
    assert state_of(order, LATE + timedelta(hours=2)).seconds == 0
