"""Where an order may go, who may send it there, and what goes with it."""

import pytest

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.models import Invoice
from shop.errors import IllegalTransition, OnHold, OrderMoved, OutOfStock
from shop.models import Order, Product
from shop.orders import lifecycle as orders
from shop.orders.lifecycle import cancel_own_order, change_status, release_hold
from shop.orders.state import write_order
from shop.tests.factories import NOW, OrderFactory
from shop.tests.paying import LATE, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)

STATUSES = ("pending", "processing", "shipped", "delivered", "cancelled")
LEGAL = {
    ("pending", "processing"),
    ("processing", "shipped"),
    ("shipped", "delivered"),
    ("pending", "cancelled"),
    ("processing", "cancelled"),
}


def stock():
    return Product.objects.get(sku="KETTLE").stock


@pytest.mark.parametrize("start", STATUSES)
@pytest.mark.parametrize("to", STATUSES)
def test_only_the_allowed_status_changes_are_possible(start, to):
    order = OrderFactory(status=start)
    if (start, to) in LEGAL:
        assert change_status(order.pk, to, actor="grace", at=NOW, reason="They pay by invoice.").status == to
        assert Event.objects.get().type == f"order.{to}"
    else:
        with pytest.raises(IllegalTransition, match=f"cannot change from {start.title()} to {to.title()}"):
            change_status(order.pk, to, actor="grace", at=NOW)
        order.refresh_from_db()
        assert (order.status, order.version, Event.objects.count()) == (start, 1, 0)


def test_each_status_change_is_recorded_as_an_event_with_its_actor():
    order = placed()
    pay(order)
    change_status(order.pk, "shipped", actor="grace", at=NOW)
    change_status(order.pk, "delivered", actor="grace", at=NOW)

    told = list(Event.objects.filter(subject_id=order.pk).order_by("seq").values_list("seq", "type", "actor"))

    assert told == [(1, "order.placed", ""), (2, "order.paid", ""), (3, "order.shipped", "grace"), (4, "order.delivered", "grace")]


def test_the_buyer_is_mailed_when_an_order_is_shipped():
    order = placed()
    pay(order)
    change_status(order.pk, "shipped", actor="grace", at=NOW)
    mail = Mail.objects.get(key=f"order-shipped:{order.pk}")
    assert mail.subject == f"Your order {order.number} has been shipped"
    assert f"/orders/{order.access_token}/" in mail.text


def test_an_order_on_hold_cannot_be_shipped():
    order = placed()
    pay(order)
    tell(order)

    with pytest.raises(OnHold, match="This order is on hold: A chain reorganisation"):
        change_status(order.pk, "shipped", actor="grace", at=NOW)

    order.refresh_from_db()
    assert order.status == "processing"


def test_staff_can_process_an_expired_order_when_there_is_stock():
    order = placed()
    run_out(order)

    change_status(order.pk, "processing", actor="grace", at=LATE, reason="They pay by invoice.")

    order.refresh_from_db()
    assert (order.status, order.holds_stock, stock()) == ("processing", True, 8)


def test_staff_cannot_process_an_expired_order_without_stock():
    order = placed()
    run_out(order)
    Product.objects.update(stock=1)

    with pytest.raises(OutOfStock):
        change_status(order.pk, "processing", actor="grace", at=LATE, reason="They pay by invoice.")

    order.refresh_from_db()
    assert (order.status, order.holds_stock, stock()) == ("pending", False, 1)


def test_the_buyer_can_cancel_an_order_without_payments():
    order = placed()

    cancel_own_order(order.pk, at=NOW)

    order.refresh_from_db()
    assert (order.status, order.payment_status, order.holds_stock, order.on_hold) == ("cancelled", "unpaid", False, False)
    assert stock() == 10
    assert Invoice.objects.get().status == "cancelled"
    assert list(Event.objects.filter(subject_id=order.pk).order_by("seq").values_list("type", flat=True)) == [
        "order.placed",
        "order.cancelled",
    ]


def test_cancelling_an_expired_order_does_not_return_its_stock_twice():
    order = placed()
    run_out(order)
    cancel_own_order(order.pk, at=LATE)
    assert stock() == 10


@pytest.mark.parametrize("percent", [10, 100])
def test_the_buyer_cannot_cancel_once_a_payment_was_seen(percent):
    order = placed()
    tell(order, percent=percent)

    with pytest.raises(IllegalTransition, match="already seen a payment for this order"):
        cancel_own_order(order.pk, at=NOW)

    order.refresh_from_db()
    assert (order.status, stock()) == ("pending", 8)


def test_the_buyer_cannot_cancel_an_order_twice():
    order = placed()
    cancel_own_order(order.pk, at=NOW)
    with pytest.raises(IllegalTransition, match="already cancelled"):
        cancel_own_order(order.pk, at=NOW)
    assert stock() == 10


def test_the_buyer_cannot_cancel_an_order_in_processing():
    order = placed()
    pay(order)
    with pytest.raises(IllegalTransition, match="can no longer be cancelled here"):
        cancel_own_order(order.pk, at=NOW)


def test_cancelling_a_paid_order_puts_it_on_hold_for_its_refund():
    order = placed()
    pay(order)

    change_status(order.pk, "cancelled", actor="grace", at=NOW, reason="out of colour")

    order.refresh_from_db()
    assert (order.status, order.payment_status, order.on_hold) == ("cancelled", "paid", True)
    assert order.hold_reason == "Cancelled after a payment was received: refund it."
    assert stock() == 10
    assert Invoice.objects.get().status == "settled"
    assert Event.objects.get(type="order.cancelled").data["reason"] == "out of colour"


def test_cancelling_an_unpaid_order_cancels_its_invoice():
    order = placed()
    change_status(order.pk, "cancelled", actor="grace", at=NOW)
    assert (Invoice.objects.get().status, stock()) == ("cancelled", 10)


def test_a_hold_for_missing_stock_cannot_be_released_without_stock():
    order = placed()
    run_out(order)
    Product.objects.update(stock=1)
    pay(order, at=LATE)
    with pytest.raises(OutOfStock):
        release_hold(order.pk, actor="grace", at=LATE)
    order.refresh_from_db()
    assert order.on_hold


def test_the_person_who_releases_a_hold_is_recorded():
    order = placed()
    run_out(order)
    Product.objects.update(stock=1)
    pay(order, at=LATE)
    Product.objects.update(stock=2)

    release_hold(order.pk, actor="grace", at=LATE)

    order.refresh_from_db()
    event = Event.objects.get(type="order.hold_released")
    assert (order.on_hold, order.hold_reason, order.holds_stock, stock()) == (False, "", True, 0)
    assert (event.actor, event.seq) == ("grace", order.version)


def test_a_hold_for_an_unsettled_payment_cannot_be_released_by_hand():
    order = placed()
    pay(order)
    tell(order)
    with pytest.raises(IllegalTransition, match="The hold is released when the payment settles"):
        release_hold(order.pk, actor="grace", at=NOW)


def test_only_an_order_on_hold_can_be_released():
    with pytest.raises(IllegalTransition, match="not on hold"):
        release_hold(OrderFactory().pk, actor="grace", at=NOW)


def test_a_status_change_that_loses_a_race_is_repeated(monkeypatch):
    order = placed()
    pay(order)
    write, lost = orders.write_order, []

    def lose_once(order, *args, **more):
        if not lost:
            lost.append(order)
            raise OrderMoved("by another process")
        return write(order, *args, **more)

    monkeypatch.setattr(orders, "write_order", lose_once)

    assert change_status(order.pk, "shipped", actor="grace", at=NOW).status == "shipped"


def test_a_write_over_a_newer_version_is_refused():
    order = OrderFactory()
    stale = Order.objects.get()
    change_status(order.pk, "processing", actor="grace", at=NOW, reason="They pay by invoice.")
    with pytest.raises(OrderMoved):
        write_order(stale, "order.cancelled", at=NOW, status="cancelled")


def test_orders_to_ship_are_in_processing_and_not_on_hold():
    OrderFactory()
    ready = OrderFactory(status="processing")
    held = OrderFactory(status="processing", on_hold=True)
    assert list(Order.objects.to_ship()) == [ready]
    assert list(Order.objects.on_hold()) == [held]
