"""Orders that agree with their invoices, and those that do not."""

from datetime import timedelta

import pytest

from payments.accounting.comparison import Kind
from payments.accounting.periods import Period
from payments.accounting.reconcile import reconcile
from payments.models import Invoice
from shop.models import Order, OrderLine
from shop.orders.reconciliation import check_orders
from shop.tests.factories import NOW
from shop.tests.paying import pay, placed

pytestmark = pytest.mark.django_db

PERIOD = Period(NOW, NOW + timedelta(days=1))


def problems(period=PERIOD):
    return [difference.text for difference in check_orders(period.since, period.until)]


def test_a_placed_or_paid_order_has_no_differences():
    order = placed()
    assert problems() == []
    pay(order)
    assert order.payment_status == "paid"
    assert problems() == []


def test_order_lines_that_add_up_to_another_total_are_reported():
    order = placed()
    OrderLine.objects.update(quantity=3)
    assert problems() == [f"Order {order.number}: its lines add up to $149.97, its total is $99.98."]


def test_an_invoice_with_another_price_is_reported():
    order = placed()
    Invoice.objects.update(price_minor=1)
    assert problems() == [f"Order {order.number}: its invoice asks for $0.01, its total is $99.98."]


def test_a_paid_order_without_a_settled_invoice_is_reported():
    order = placed()
    Order.objects.update(payment_status="paid")
    assert problems() == [f"Order {order.number}: it is paid, but none of its invoices is settled. Do not ship it."]


def test_orders_outside_the_period_are_not_checked():
    placed()
    OrderLine.objects.update(quantity=3)
    assert problems(Period(NOW + timedelta(seconds=1), NOW + timedelta(days=1))) == []
    assert len(problems()) == 1


def test_orders_are_reconciled_unless_one_network_is_selected():
    order = placed()
    OrderLine.objects.update(quantity=3)
    report = reconcile(PERIOD, at=NOW + timedelta(days=2))
    assert [(difference.kind, difference.subject) for difference in report.alarms] == [(Kind.ORDER, order.number)]
    assert reconcile(PERIOD, at=NOW + timedelta(days=2), network="BTC").alarms == []


def test_reconciling_many_orders_needs_as_many_queries_as_reconciling_one(django_assert_num_queries):
    for number in range(3):
        placed(product__sku=f"KETTLE-{number}")
    with django_assert_num_queries(4):
        problems()
