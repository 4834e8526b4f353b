"""An order that is not paid goes on: in another coin, at today's rate, or with money that came late. Its stock goes with it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.errors import NodeUnavailable, QuoteRefused
from payments.models import Invoice, Option, Payment
from payments.networks.sandbox.network import SandboxNetwork
from shop.checkout.requoting import requote_order
from shop.errors import IllegalTransition, OrderMoved, OutOfStock
from shop.models import Order, Product
from shop.orders.lifecycle import change_status
from shop.tests.factories import NOW
from shop.tests.paying import LATE, TIP, TOO_LATE, newest_option, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)

SOON = NOW + timedelta(minutes=5)
RATES = {"BTC": Decimal("65000.00"), "LTC": Decimal("80.00"), "XRP": Decimal("0.55")}


@pytest.fixture(autouse=True)
def _rates(settings):
    settings.FIXED_RATES = RATES


def stock():
    return Product.objects.get().stock


def events(order):
    return list(Event.objects.filter(subject_id=order.pk).order_by("seq").values_list("type", flat=True))


def late_order(settings, *, now="65000.00"):
    """Its money came beyond the grace; a bitcoin costs this much now."""
    order = placed()
    run_out(order)
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE)
    settings.FIXED_RATES = {**RATES, "BTC": Decimal(now)}
    return order


def test_changing_the_coin_of_an_open_order_keeps_its_stock_held():
    order = placed()
    assert stock() == 8

    order = requote_order(order.pk, "LTC", at=SOON)

    assert (order.network, order.payment_status, order.holds_stock, stock()) == ("LTC", "unpaid", True, 8)
    assert events(order) == ["order.placed", "order.requoted"]
    pay(order)
    assert (order.status, order.payment_status) == ("processing", "paid")


def test_a_new_quote_keeps_the_coin_when_none_is_given():
    order = requote_order(placed().pk, at=SOON)
    assert (order.network, Option.objects.filter(network="BTC").count()) == ("BTC", 2)


def test_a_new_quote_for_an_expired_order_holds_its_stock_again():
    order = placed()
    run_out(order)
    assert (order.payment_status, stock()) == ("expired", 10)

    order = requote_order(order.pk, "BTC", at=TOO_LATE)

    assert (order.payment_status, order.holds_stock, stock()) == ("unpaid", True, 8)
    run_out(order, at=TOO_LATE + timedelta(minutes=15))
    assert (order.payment_status, order.holds_stock, stock()) == ("expired", False, 10)


def test_a_new_quote_for_a_sold_out_order_is_refused_and_writes_nothing():
    order = placed()
    run_out(order)
    Product.objects.update(stock=1)

    with pytest.raises(OutOfStock, match="Only 1 of Copper Kettle is left"):
        requote_order(order.pk, "LTC", at=TOO_LATE)

    order.refresh_from_db()
    assert (order.network, order.payment_status, order.holds_stock, stock()) == ("BTC", "expired", False, 1)
    assert (Invoice.objects.get().status, Option.objects.count()) == ("expired", 1)


def test_late_money_pays_the_order_at_the_current_rate(settings):
    order = late_order(settings)
    assert (order.payment_status, stock()) == ("late", 10)

    order = requote_order(order.pk, at=TOO_LATE)

    assert (order.status, order.payment_status, order.on_hold, stock()) == ("processing", "paid", False, 8)
    assert events(order) == ["order.placed", "order.payment_expired", "order.payment_late", "order.paid"]


def test_late_money_that_has_lost_value_leaves_a_rest_to_pay(settings):
    order = late_order(settings, now="32500.00")

    order = requote_order(order.pk, "LTC", at=TOO_LATE)

    assert (order.status, order.payment_status, order.network, stock()) == ("pending", "underpaid", "LTC", 8)
    assert Payment.objects.get().late == "accepted"
    assert newest_option(order).due_base == 62_487_500  # 49.99, at 80.00
    pay(order, reference="b" * 64 + ":0", at=TOO_LATE, seen_at=TOO_LATE)
    assert (order.status, order.payment_status) == ("processing", "paid")


def test_late_money_for_a_sold_out_product_is_not_accepted(settings):
    order = late_order(settings)
    Product.objects.update(stock=0)

    with pytest.raises(OutOfStock, match="Copper Kettle is sold out"):
        requote_order(order.pk, at=TOO_LATE)

    order.refresh_from_db()
    assert (order.payment_status, Payment.objects.get().late, Payment.objects.get().minor_per_coin) == ("late", "waiting", None)
    assert Invoice.objects.get().needs_decision


def test_the_rest_of_an_underpaid_order_can_be_paid_with_a_new_quote():
    order = placed()
    tell(order, percent=60, height=TIP - 1)
    run_out(order)

    order = requote_order(order.pk, "BTC", at=TOO_LATE)
    tell(order, height=TIP - 1, reference="b" * 64 + ":0", seen_at=TOO_LATE, at=TOO_LATE)

    assert (order.status, order.payment_status, stock()) == ("processing", "paid", 8)


def test_a_cancelled_order_gets_no_new_quote():
    order = placed()
    change_status(order.pk, "cancelled", actor="grace", at=NOW)
    with pytest.raises(IllegalTransition, match="cancelled"):
        requote_order(order.pk, at=SOON)


def test_a_paid_order_gets_no_new_quote():
    order = placed()
    tell(order)
    with pytest.raises(QuoteRefused, match="already paid"):
        requote_order(order.pk, at=SOON)


def test_a_new_quote_changes_nothing_when_the_node_is_down(monkeypatch):
    def away(self, request):
        raise NodeUnavailable("away")

    order = placed()
    monkeypatch.setattr(SandboxNetwork, "open_destination", away)
    with pytest.raises(NodeUnavailable):
        requote_order(order.pk, "LTC", at=SOON)
    assert (Order.objects.get().network, Option.objects.count(), events(order)) == ("BTC", 1, ["order.placed"])


def test_a_payment_that_arrives_while_the_node_is_asked_reduces_the_new_quote(monkeypatch):
    """The quote was for all of it; half has come since."""
    order = placed()
    give_destination = SandboxNetwork.open_destination
    half = iter([lambda: tell(order, percent=50)])

    def slow(self, request):
        next(half, lambda: None)()
        return give_destination(self, request)

    monkeypatch.setattr(SandboxNetwork, "open_destination", slow)

    order = requote_order(order.pk, "LTC", at=SOON)

    assert (order.payment_status, Option.objects.count(), newest_option(order).due_base) == ("underpaid", 2, 62_487_500)


def test_a_quote_that_loses_every_race_is_refused(monkeypatch):
    order = placed()
    give_destination = SandboxNetwork.open_destination

    def slow(self, request):
        Invoice.objects.update(version=Invoice.objects.get().version + 1)
        return give_destination(self, request)

    monkeypatch.setattr(SandboxNetwork, "open_destination", slow)
    with pytest.raises(OrderMoved, match="changed at the same time"):
        requote_order(order.pk, "LTC", at=SOON)


def test_payments_in_the_old_and_the_new_coin_add_up():
    order = placed()
    old = newest_option(order)
    order = requote_order(order.pk, "LTC", at=SOON)
    tell(order, percent=50, option=old, height=TIP - 1, seen_at=SOON, at=SOON)
    assert order.payment_status == "underpaid"
    tell(order, percent=50, height=TIP - 1, reference="b" * 64 + ":0", seen_at=SOON, at=SOON)
    assert (order.status, order.payment_status) == ("processing", "paid")


def test_an_order_that_staff_process_unpaid_can_still_be_paid():
    order = placed()
    change_status(order.pk, "processing", actor="grace", at=NOW, reason="They pay by invoice.")
    run_out(order)
    order = requote_order(order.pk, "LTC", at=LATE)
    pay(order, at=LATE, seen_at=LATE)
    assert (order.status, order.payment_status, stock()) == ("processing", "paid", 8)


def test_the_buyer_is_mailed_once_although_the_quote_expires_several_times():
    order = placed()
    tell(order, percent=60, height=TIP - 1)
    run_out(order)
    for hours in (2, 4):
        order = requote_order(order.pk, at=NOW + timedelta(hours=hours))
        run_out(order, at=NOW + timedelta(hours=hours + 1))
    assert Mail.objects.filter(key__startswith="payment_underpaid").count() == 1
