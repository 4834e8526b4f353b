"""An order that nobody paid is cancelled when its invoice is no longer watched. Money that comes later is recorded and shown."""

from datetime import timedelta

import pytest

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.models import Invoice, Payment
from shop.models import Order, Product
from shop.orders.exceptions_queue import read_queue
from shop.orders.lifecycle import cancel_abandoned_orders, change_status
from shop.tasks import sweep_orders
from shop.tests.factories import NOW
from shop.tests.paying import TIP, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)

WATCHED_UNTIL = NOW + timedelta(days=30, minutes=15)
AFTER = WATCHED_UNTIL + timedelta(days=9)


@pytest.fixture
def expired():
    order = placed()
    run_out(order)
    return order


def test_an_unpaid_order_is_cancelled_when_its_watch_ends_and_no_sooner(expired):
    mails = Mail.objects.count()

    assert cancel_abandoned_orders(at=WATCHED_UNTIL - timedelta(seconds=1)) == 0
    assert cancel_abandoned_orders(at=WATCHED_UNTIL) == 1
    assert cancel_abandoned_orders(at=WATCHED_UNTIL) == 0

    expired.refresh_from_db()
    assert (expired.status, expired.on_hold, Invoice.objects.get().status) == ("cancelled", False, "cancelled")
    assert (Product.objects.get().stock, Mail.objects.count()) == (10, mails)
    assert Event.objects.get(subject_id=expired.pk, type="order.cancelled").data["reason"] == "It was not paid in time."


def test_money_for_an_abandoned_order_is_recorded_and_shown(expired):
    cancel_abandoned_orders(at=WATCHED_UNTIL)

    tell(expired, height=TIP - 1, seen_at=AFTER, at=AFTER)

    assert Payment.objects.get().status == "settled"
    assert (expired.status, expired.on_hold) == ("cancelled", True)
    assert [case.order for case in read_queue(at=AFTER).to_decide] == [expired]
    assert Mail.objects.filter(key__startswith="money_back:").count() == 1


@pytest.mark.parametrize("percent", [50, 100])
def test_an_order_for_which_money_was_received_is_not_cancelled(percent):
    order = placed()
    tell(order, percent=percent, height=TIP - 1, seen_at=NOW + timedelta(days=2), at=NOW + timedelta(days=2))
    assert cancel_abandoned_orders(at=AFTER) == 0


def test_an_order_that_is_paid_or_in_work_is_not_cancelled():
    pay(placed())
    unpaid = placed(product=Product.objects.get())
    change_status(unpaid.pk, "processing", actor="grace", at=NOW, reason="They pay by invoice.")
    run_out(unpaid)
    assert cancel_abandoned_orders(at=AFTER) == 0


def test_an_order_with_a_new_quote_waits_for_the_end_of_that_one(expired):
    Invoice.objects.update(monitor_until=AFTER)
    assert cancel_abandoned_orders(at=AFTER - timedelta(seconds=1)) == 0
    assert cancel_abandoned_orders(at=AFTER) == 1


def test_the_sweep_cancels_abandoned_orders(expired):
    Order.objects.update(created_at=NOW - timedelta(days=400))
    Invoice.objects.update(monitor_until=NOW - timedelta(days=365))
    sweep_orders()
    assert Order.objects.get().status == "cancelled"
