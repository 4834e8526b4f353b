"""Random lives of several orders of one product: buyers, chain, clock and staff in any order. Stock and log stay right."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.invoicing import mark_invoice
from payments.models import Cursor, Invoice, Option, Payment
from payments.networks.base import Fact
from payments.settlement import settle, store_facts, touch
from shop.checkout import place_order
from shop.errors import ShopError
from shop.models import Cart, Order, Product
from shop.orders import cancel_own_order, change_status, release_hold, state_of
from shop.tests.factories import ADDRESS, NOW, CartItemFactory, ProductFactory


class Shop(RuleBasedStateMachine):
    @initialize(supply=st.integers(1, 6))
    def open_the_shop(self, supply):
        self.supply, self.now, self.tip, self.facts = supply, NOW, 1_000, {}
        self.product = ProductFactory(stock=supply)
        self.orders = []
        Cursor.objects.create(network="BTC", tip_height=self.tip)

    def teardown(self):
        for model in (Payment, Option, Invoice, Event, Mail, Order, Cart, Product, Cursor):
            model.objects.all().delete()

    def some_order(self, data):
        return data.draw(st.sampled_from(self.orders))

    @rule(quantity=st.integers(1, 3))
    def somebody_orders(self, quantity):
        left = Product.objects.get().stock
        if quantity > left:
            return
        cart = CartItemFactory(product=self.product, quantity=quantity).cart
        self.orders.append(place_order(cart, email="a@example.com", user=None, address=ADDRESS, network="BTC", at=self.now).pk)

    def tell(self, order, *, percent=100, depth=0, fate="there"):
        option = Option.objects.get(invoice__subject_id=order)
        fact = Fact(
            reference=f"{order}:0",
            destination=option.destination,
            amount_base=option.due_base * percent // 100,
            first_seen_at=self.facts.setdefault(order, self.now),
            height=self.tip - depth + 1 if depth and fate == "there" else None,
            is_present=fate == "there",
            is_conflicted=fate == "spent",
        )
        for invoice in store_facts("BTC", [fact]):
            settle(invoice, at=self.now)

    @precondition(lambda self: self.orders)
    @rule(
        data=st.data(), percent=st.sampled_from([50, 100, 150]), depth=st.integers(0, 3), fate=st.sampled_from(["there", "gone", "spent"])
    )
    def the_chain_tells_of_money(self, data, percent, depth, fate):
        self.tell(self.some_order(data), percent=percent, depth=depth, fate=fate)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), back=st.sampled_from(["there", "gone", "spent"]))
    def a_reorg_takes_a_settled_payment_back(self, data, back):
        order = self.some_order(data)
        self.tell(order, depth=3)
        self.tell(order, fate=back)

    @precondition(lambda self: self.orders)
    @rule(minutes=st.sampled_from([1, 10, 30]))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)
        self.tip += 1
        Cursor.objects.update(tip_height=self.tip)
        ids = list(Invoice.objects.values_list("pk", flat=True))
        touch(ids)
        for invoice in ids:
            settle(invoice, at=self.now)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def the_buyer_cancels(self, data):
        self.attempt(cancel_own_order, self.some_order(data), at=self.now)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), to=st.sampled_from(["processing", "shipped", "delivered", "cancelled"]))
    def staff_move_it(self, data, to):
        order = Order.objects.get(pk=self.some_order(data))
        moved = self.attempt(change_status, order.pk, to, actor="grace", at=self.now)
        assert not (moved and to == "shipped" and order.on_hold)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def staff_release_it(self, data):
        self.attempt(release_hold, self.some_order(data), actor="grace", at=self.now)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), mark=st.sampled_from(["settled", "invalid"]))
    def staff_decide_about_the_money(self, data, mark):
        invoice = Invoice.objects.get(subject_id=self.some_order(data))
        if invoice.status != mark:
            mark_invoice(invoice.pk, mark, actor="grace", reason="so be it", at=self.now)

    @rule(more=st.integers(1, 2))
    def staff_restock(self, more):
        self.supply += more
        Product.objects.update(stock=Product.objects.get().stock + more)

    def attempt(self, act, *args, **named):
        before = self.everything()
        try:
            act(*args, **named)
        except ShopError:
            assert self.everything() == before
            return False
        return True

    def everything(self):
        return list(Order.objects.order_by("pk").values()), Product.objects.get().stock, Event.objects.count()

    @invariant()
    def stock_and_holds_are_what_there_ever_was(self):
        held = sum(line.quantity for order in Order.objects.filter(holds_stock=True) for line in order.lines.all())
        left = Product.objects.get().stock
        assert left >= 0
        assert left + held == self.supply

    @invariant()
    def each_change_is_one_event_and_the_last_is_the_order(self):
        for order in Order.objects.all():
            told = list(Event.objects.filter(subject_id=order.pk).order_by("seq"))
            assert [event.seq for event in told] == list(range(1, order.version + 1))
            assert told[-1].data | {"reason": ""} == state_of(order) | {"reason": ""}

    @invariant()
    def what_is_on_hold_says_why(self):
        assert all(bool(order.hold_reason) == order.on_hold for order in Order.objects.all())

    @invariant()
    def who_is_paid_for_holds_stock_or_is_on_hold(self):
        for order in Order.objects.filter(status__in=["processing", "shipped", "delivered"]):
            assert order.holds_stock or order.on_hold

    @invariant()
    def a_cancelled_order_holds_nothing(self):
        assert not Order.objects.filter(status="cancelled", holds_stock=True).exists()

    @invariant()
    def payment_is_confirmed_once_at_most(self):
        keys = list(Mail.objects.values_list("key", flat=True))
        assert len(keys) == len(set(keys))


@pytest.mark.django_db(transaction=True)
def test_every_life_of_a_shop_keeps_the_rules():
    run_state_machine_as_test(
        Shop,
        settings=settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)),
    )
