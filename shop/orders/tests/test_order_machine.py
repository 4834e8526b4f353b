"""Random lives of several orders of one product: buyers, chains, rates, clock and staff in any order. Stock and log stay right."""

import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings as shop_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cryptons.db import in_transaction
from cryptons.events.models import Event
from cryptons.mail.models import Mail
from cryptons.money import base_to_fiat
from payments.accounting import reconcile as reconciling
from payments.accounting.periods import Period
from payments.errors import PaymentError
from payments.invoices import manual_review
from payments.invoices.refundable import NOTHING_WENT, most_of_kind
from payments.invoices.requoting import MOST_QUOTES
from payments.invoices.settlement import settle
from payments.models import Cursor, Invoice, Option, Payment, Payout
from payments.networks.base import Fact
from payments.payouts.workflow import approve_payout, draft_payout, mark_sent, move_payout, set_destination
from payments.sync.facts import mark_dirty, mark_slow, store_facts
from shop.checkout.placing import place_order
from shop.checkout.requoting import ask_for_rest, requote_order
from shop.errors import ShopError
from shop.figures.models import Figure
from shop.figures.tests.by_hand import check_against_orders
from shop.models import Cart, Order, Product
from shop.orders.lifecycle import cancel_abandoned_orders, cancel_own_order, change_status, needs_reason, release_hold
from shop.orders.reconciliation import check_orders
from shop.orders.state import state_of
from shop.tests.factories import ADDRESS, NOW, CartItemFactory, ProductFactory
from shop.tests.shop_rows import ShopRows
from tests.sequences import live

PARTS = 2


class Shop(RuleBasedStateMachine):
    lived = 0
    """How many sequences were run to their end."""
    stored: ShopRows | None = None
    """What the database said after the last step."""

    @initialize(supply=st.integers(1, 6))
    def open_the_shop(self, supply):
        self.supply, self.now, self.tip, self.facts = supply, NOW, 1_000, {}
        self.product = ProductFactory(stock=supply)
        self.orders = []
        self.rates = shop_settings.FIXED_RATES
        for network in ("BTC", "LTC"):
            Cursor.objects.create(network=network, tip_height=self.tip)

    def teardown(self):
        if sys.exc_info()[0] is None:
            type(self).lived += 1
            check_against_orders()
        shop_settings.FIXED_RATES = self.rates
        for model in (Payout, Payment, Option, Invoice, Event, Mail, Order, Cart, Product, Cursor, Figure):
            model.objects.all().delete()

    def some_order(self, data):
        return data.draw(st.sampled_from(self.orders))

    def some_option(self, data):
        """Of any quote, the newest or one that has ended."""
        options = Option.objects.filter(invoice__subject_id=self.some_order(data)).order_by("created_at", "pk")
        return data.draw(st.sampled_from(list(options)))

    def some_invoice(self, data):
        return Invoice.objects.get(subject_id=self.some_order(data))

    @rule(quantity=st.integers(1, 3))
    def somebody_orders(self, quantity):
        left = Product.objects.get().stock
        if quantity > left:
            return
        cart = CartItemFactory(product=self.product, quantity=quantity).cart
        self.orders.append(place_order(cart, email="a@example.com", user=None, address=ADDRESS, network="BTC", at=self.now).order.pk)

    def tell(self, option, *, percent=100, depth=0, fate="there"):
        fact = Fact(
            reference=f"{option.pk}:0",
            destination=option.destination,
            amount_base=option.due_base * percent // 100,
            first_seen_at=self.facts.setdefault(option.pk, self.now),
            height=self.tip - depth + 1 if depth and fate == "there" else None,
            is_present=fate == "there",
            is_conflicted=fate == "spent",
        )
        for invoice in store_facts(option.network, [fact]):
            settle(invoice, at=self.now)

    @precondition(lambda self: self.orders)
    @rule(
        data=st.data(), percent=st.sampled_from([50, 100, 150]), depth=st.integers(0, 3), fate=st.sampled_from(["there", "gone", "spent"])
    )
    def the_chain_tells_of_money(self, data, percent, depth, fate):
        self.tell(self.some_option(data), percent=percent, depth=depth, fate=fate)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), back=st.sampled_from(["there", "gone", "spent"]))
    def a_reorg_takes_a_settled_payment_back(self, data, back):
        option = self.some_option(data)
        self.tell(option, depth=3)
        self.tell(option, fate=back)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), percent=st.sampled_from([50, 100, 150]))
    def money_comes_long_after_its_time(self, data, percent):
        option = self.some_option(data)
        self.time_passes(minutes=100)
        self.tell(option, percent=percent, depth=3)

    @precondition(lambda self: self.orders)
    @rule(minutes=st.sampled_from([1, 10, 30, 150, 45_000]))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)
        self.tip += 1
        Cursor.objects.update(tip_height=self.tip, answered_at=self.now)
        mark_slow()
        ids = list(Invoice.objects.values_list("pk", flat=True))
        mark_dirty(ids)
        for invoice in ids:
            settle(invoice, at=self.now)

    @precondition(lambda self: self.orders)
    @rule()
    def abandoned_orders_are_cancelled(self):
        cancel_abandoned_orders(at=self.now)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def the_buyer_cancels(self, data):
        self.attempt(cancel_own_order, self.some_order(data), at=self.now)

    @precondition(lambda self: self.orders)
    @rule(
        data=st.data(), to=st.sampled_from(["processing", "shipped", "delivered", "cancelled"]), reason=st.sampled_from(["", "A regular."])
    )
    def staff_move_it(self, data, to, reason):
        order = Order.objects.get(pk=self.some_order(data))
        moved = self.attempt(change_status, order.pk, to, actor="grace", at=self.now, reason=reason)
        assert not (moved and to == "shipped" and order.on_hold)
        assert not (moved and needs_reason(order, to) and not reason)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def staff_release_it(self, data):
        self.attempt(release_hold, self.some_order(data), actor="grace", at=self.now)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), network=st.sampled_from(["BTC", "LTC", ""]))
    def the_buyer_gets_a_fresh_quote(self, data, network):
        self.attempt(requote_order, self.some_order(data), network, at=self.now)

    @rule(percent=st.sampled_from([50, 97, 99, 100, 101, 200]))
    def the_rate_moves(self, percent):
        shop_settings.FIXED_RATES = {coin: rate * percent / 100 for coin, rate in self.rates.items()}

    @precondition(lambda self: self.orders)
    @rule(
        data=st.data(),
        act=st.sampled_from(["mark_paid", "close", "dismiss", "reopen", "clear_override"]),
        is_stale=st.sampled_from([False, False, False, True]),
    )
    def staff_decide_about_the_money(self, data, act, is_stale):
        invoice = self.some_invoice(data)
        decision = {"version": invoice.version - is_stale, "actor": "grace", "reason": "so be it", "at": self.now}
        done = self.attempt(in_transaction, lambda: getattr(manual_review, act)(invoice.pk, **decision))
        assert not (done and is_stale)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), is_stale=st.sampled_from([False, False, False, True]))
    def staff_ask_for_the_rest(self, data, is_stale):
        invoice = self.some_invoice(data)
        version = invoice.version - is_stale
        done = self.attempt(ask_for_rest, invoice.subject_id, version=version, actor="grace", at=self.now)
        assert not (done and is_stale)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), kind=st.sampled_from(["late", "excess", "refund"]))
    def staff_send_money_back(self, data, kind):
        invoice = self.some_invoice(data)
        for network in most_of_kind(invoice, kind):
            self.attempt(draft_payout, invoice.pk, kind=kind, network=network, actor="grace", at=self.now)

    @precondition(lambda self: self.has_payout("draft"))
    @rule(data=st.data(), fate=st.sampled_from(["sent", "failed", "withdrawn"]))
    def a_payout_ends(self, data, fate):
        drafts = list(Payout.objects.filter(status="draft").order_by("created_at", "pk"))
        payout = data.draw(st.sampled_from(drafts))
        in_transaction(lambda: move_payout(payout, fate, at=self.now))

    @precondition(lambda self: self.has_payout("draft", "approved", "sending"))
    @rule(data=st.data())
    def a_payout_takes_its_next_step(self, data):
        rows = list(Payout.objects.filter(status__in=["draft", "approved", "sending"]).order_by("created_at", "pk"))
        payout = data.draw(st.sampled_from(rows))
        if payout.status == "draft":
            self.attempt(set_destination, payout.pk, f"bcrt1qhome{payout.pk.hex}", actor="buyer", at=self.now)
            for actor in ("grace", "ada"):
                self.attempt(approve_payout, payout.pk, actor=actor, at=self.now)
        elif payout.status == "sending":
            in_transaction(lambda: mark_sent(payout, f"tx {payout.pk}", fee_base=1, at=self.now))
        elif self.attempt(in_transaction, lambda: move_payout(payout, "sending", at=self.now)):
            self.it_could_leave(payout)

    def it_could_leave(self, payout):
        """What begins to be sent is there in addition to all that was sent; an excess leaves the price; nothing leaves what can be paid."""
        invoice = Invoice.objects.get(pk=payout.invoice_id)
        assert invoice.status not in ("new", "processing")
        here = invoice.payments.filter(status="settled", is_present=True)
        left = invoice.payouts.filter(status__in=["sending", "unknown", "sent"])
        of_coin = {"network": payout.network}
        assert sum(left.filter(**of_coin).values_list("amount_base", flat=True)) <= sum(
            here.filter(**of_coin).values_list("amount_base", flat=True)
        )
        if payout.kind == "excess":
            values = [
                base_to_fiat(money.amount_base, minor_per_coin=money.credited_minor_per_coin, network=money.network)
                for money in here.prefetch_related("option")
            ]
            assert sum(values) > invoice.price_minor

    @precondition(lambda self: self.orders)
    @rule()
    def the_figures_are_counted(self):
        check_against_orders()

    @rule(more=st.integers(1, 2))
    def staff_restock(self, more):
        self.supply += more
        Product.objects.update(stock=Product.objects.get().stock + more)

    def attempt(self, act, *args, **named):
        before = ShopRows().values
        try:
            act(*args, **named)
        except (ShopError, PaymentError):
            assert ShopRows().values == before
            return False
        return True

    def has_payout(self, *statuses):
        return self.stored is not None and any(payout.status in statuses for payout in self.stored.payouts)

    @invariant()
    def the_rows_keep_the_rules(self):
        """Those that no step has changed do so as before."""
        before, self.stored = self.stored, ShopRows()
        if before is not None and self.stored.values == before.values:
            return
        self.stock_and_holds_are_what_there_ever_was()
        for order in self.stored.orders.values():
            self.each_change_of_it_is_one_event_and_the_last_is_the_order(order)
            self.it_says_why_it_is_on_hold_and_holds_stock_if_it_is_paid_for(order)
        for invoice in self.stored.invoices:
            self.what_waits_for_money_is_held_for_its_buyer(invoice)
            self.it_is_what_its_last_event_says(invoice)
            self.only_exceptions_wait_for_a_decision(invoice)
            self.late_money_counts_at_its_old_rate_only_within_the_grace(invoice)
            self.what_was_unconfirmed_for_too_long_pays_only_once_it_was_in_a_block_and_accepted_again(invoice)
            self.what_is_settled_was_paid_or_accepted_by_a_person(invoice)
            self.no_more_goes_back_than_came(invoice)
        self.a_reconciliation_finds_nothing()
        self.nobody_is_told_the_same_twice()

    def stock_and_holds_are_what_there_ever_was(self):
        held = sum(line.quantity for line in self.stored.lines if self.stored.orders[line.order_id].holds_stock)
        [product] = self.stored.products
        assert product.stock >= 0
        assert product.stock + held == self.supply

    def each_change_of_it_is_one_event_and_the_last_is_the_order(self, order):
        told = self.stored.events[order.pk]
        assert [event.seq for event in told] == list(range(1, order.version + 1))
        assert told[-1].data | {"reason": ""} == state_of(order) | {"reason": ""}

    def it_says_why_it_is_on_hold_and_holds_stock_if_it_is_paid_for(self, order):
        """But a cancelled one holds nothing."""
        assert bool(order.hold_reason) == order.on_hold
        if order.status in ("processing", "shipped", "delivered"):
            assert order.holds_stock or order.on_hold
        assert not (order.status == "cancelled" and order.holds_stock)

    def what_waits_for_money_is_held_for_its_buyer(self, invoice):
        """And given back as soon as nobody may pay any more."""
        order = self.stored.orders[invoice.subject_id]
        if invoice.status in ("new", "expired") and order.status == "pending":
            assert order.holds_stock == (invoice.status == "new")

    def it_is_what_its_last_event_says(self, invoice):
        last = self.stored.events[invoice.pk][-1]
        assert (last.data["status"], last.data["flags"]) == (invoice.status, sorted(invoice.flags))

    def only_exceptions_wait_for_a_decision(self, invoice):
        assert bool(invoice.exceptions) or not invoice.needs_decision
        assert (invoice.exception_at is not None) or not invoice.needs_decision
        quotes = {option.created_at for option in self.stored.options.values() if option.invoice_id == invoice.pk}
        assert len(quotes) <= MOST_QUOTES

    def late_money_counts_at_its_old_rate_only_within_the_grace(self, invoice):
        for payment in self.stored.payments[invoice.pk]:
            if payment.late == "accepted" and payment.minor_per_coin is None:
                assert payment.first_seen_at - self.stored.options[payment.option_id].expires_at <= timedelta(minutes=60)

    def what_was_unconfirmed_for_too_long_pays_only_once_it_was_in_a_block_and_accepted_again(self, invoice):
        payments = self.stored.payments[invoice.pk]
        is_slow = any(payment.is_slow and payment.is_present and payment.late != "slow" for payment in payments)
        if is_slow and invoice.status in ("processing", "settled") and not invoice.override:
            assert any(payment.late == "slow" or (payment.is_present and not payment.is_slow) for payment in payments)

    def what_is_settled_was_paid_or_accepted_by_a_person(self, invoice):
        if invoice.status == "settled" and invoice.override == "":
            assert invoice.paid_safe_minor >= invoice.price_minor * Decimal("0.995")

    def no_more_goes_back_than_came(self, invoice):
        """Of each coin; a payment may be taken back by its chain after it was sent back."""
        payments = self.stored.payments[invoice.pk]
        if not payments or not all(payment.is_present for payment in payments):
            return
        went = [payout for payout in self.stored.payouts if payout.invoice_id == invoice.pk and payout.status not in NOTHING_WENT]
        for network in ("BTC", "LTC"):
            came = sum(payment.amount_base for payment in payments if payment.network == network)
            assert sum(payout.amount_base for payout in went if payout.network == network) <= came

    def a_reconciliation_finds_nothing(self):
        """Of what the shop can check without a node."""
        period = Period(NOW, self.now + timedelta(days=1))
        assert check_orders(NOW, period.until) == []
        assert reconciling.check_invoices(period) == []

    def nobody_is_told_the_same_twice(self):
        keys = [mail.key for mail in self.stored.mails]
        assert len(keys) == len(set(keys))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_life_of_a_shop_keeps_the_rules(part):
    live(Shop, "shops", part=part, parts=PARTS, steps=25)
