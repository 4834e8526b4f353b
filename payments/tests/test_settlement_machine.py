"""Random lives of one invoice on the database: facts in any order, twice, late, taken back; crashes in the middle of a verdict."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from cryptons.db import atomic
from cryptons.events.models import Event
from cryptons.money import base_to_fiat
from payments.models import Cursor, Invoice, Payment
from payments.networks.base import Fact
from payments.settlement import settle, store_facts, terms_of, touch
from payments.signals import invoice_changed
from payments.tests.factories import DUE, NOW, TIP, CursorFactory, OptionFactory


class Crash(Exception):
    """The worker dies between two statements of the settling transaction."""


class InvoiceLife(RuleBasedStateMachine):
    told = Bundle("told")

    def __init__(self):
        super().__init__()
        self.option = OptionFactory()
        self.invoice_id = self.option.invoice_id
        CursorFactory()
        self.now, self.tip, self.facts, self.heard = NOW, TIP, {}, []
        self.crashing = False
        invoice_changed.connect(self.hear)

    def teardown(self):
        invoice_changed.disconnect(self.hear)
        Payment.objects.all().delete()
        self.option.delete()
        Invoice.objects.all().delete()
        Event.objects.all().delete()
        Cursor.objects.all().delete()

    def hear(self, sender, invoice, verdict, at, **_):
        if self.crashing:
            raise Crash
        self.heard.append(invoice.version)

    def tell(self, fact):
        self.facts[fact.reference] = fact
        with atomic():
            store_facts("BTC", [fact])

    @rule(target=told, share=st.integers(1, 200), seconds=st.integers(0, 2000))
    def money_is_seen(self, share, seconds):
        reference = f"{len(self.facts):064x}:0"
        self.tell(Fact(reference, self.option.destination, DUE * share // 100, NOW + timedelta(seconds=seconds)))
        return reference

    @rule(reference=told, depth=st.integers(1, 4))
    def its_block_is_found(self, reference, depth):
        old = self.facts[reference]
        self.tell(Fact(reference, old.destination, old.amount_base, old.first_seen_at, height=self.tip - depth + 1, block_hash="ab"))

    @rule(reference=told)
    def its_block_is_dropped(self, reference):
        old = self.facts[reference]
        self.tell(Fact(reference, old.destination, old.amount_base, old.first_seen_at))

    @rule(reference=told, conflicted=st.booleans())
    def it_is_gone(self, reference, conflicted):
        old = self.facts[reference]
        self.tell(Fact(reference, old.destination, old.amount_base, old.first_seen_at, is_present=False, is_conflicted=conflicted))

    @rule(reference=told)
    def the_same_is_told_again(self, reference):
        version = Invoice.objects.get(pk=self.invoice_id).version
        self.tell(self.facts[reference])
        assert Invoice.objects.get(pk=self.invoice_id).version == version

    @rule(blocks=st.integers(1, 3))
    def blocks_come(self, blocks):
        self.tip += blocks
        Cursor.objects.update(tip_height=self.tip)
        touch([self.invoice_id])

    @rule(seconds=st.integers(1, 900))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule()
    def a_worker_settles(self):
        first = settle(self.invoice_id, at=self.now)
        told = len(self.heard)
        assert settle(self.invoice_id, at=self.now) == first
        assert len(self.heard) == told

    @precondition(lambda self: self.facts)
    @rule()
    def a_worker_dies_while_it_settles(self):
        before = (Invoice.objects.values().get(), list(Payment.objects.values()), Event.objects.count())
        self.crashing = True
        try:
            settle(self.invoice_id, at=self.now)
        except Crash:
            assert (Invoice.objects.values().get(), list(Payment.objects.values()), Event.objects.count()) == before
        finally:
            self.crashing = False

    @invariant()
    def each_reference_is_booked_once(self):
        references = list(Payment.objects.values_list("reference", flat=True))
        assert len(references) == len(set(references)) == len(self.facts)

    @invariant()
    def each_change_is_told_and_recorded_once(self):
        assert list(Event.objects.order_by("seq").values_list("seq", flat=True)) == self.heard

    @invariant()
    def the_log_replays_to_the_stored_state(self):
        invoice = Invoice.objects.get(pk=self.invoice_id)
        last = Event.objects.order_by("seq").last()
        if last is None:
            assert (invoice.status, invoice.flags) == ("new", frozenset())
        else:
            assert (last.data["status"], last.data["flags"]) == (invoice.status, sorted(invoice.flags))

    @invariant()
    def settled_means_enough_safe_money(self):
        invoice = Invoice.objects.get(pk=self.invoice_id)
        if invoice.status == "settled":
            settled = Payment.objects.filter(invoice=invoice, status="settled").select_related("option")
            safe = sum(
                (base_to_fiat(p.amount_base, minor_per_coin=p.option.minor_per_coin, network=p.network) for p in settled), Fraction(0)
            )
            assert safe >= terms_of(invoice).enough_minor

    @invariant()
    def what_is_not_weighed_yet_is_marked_for_the_sweep(self):
        invoice = Invoice.objects.get(pk=self.invoice_id)
        unweighed = Payment.objects.filter(status="seen", is_present=False).exists()
        assert invoice.needs_settling or not unweighed


@pytest.mark.django_db(transaction=True)
def test_every_life_of_an_invoice_keeps_the_rules():
    run_state_machine_as_test(
        InvoiceLife,
        settings=settings(max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)),
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_facts_about_three_payments_end_alike_in_any_order(order):
    option = OptionFactory()
    CursorFactory()
    facts = [
        Fact("a:0", option.destination, DUE // 2, NOW, height=TIP - 5),
        Fact("b:0", option.destination, DUE // 2, NOW, height=TIP - 5),
        Fact("c:0", option.destination, DUE, NOW, is_present=False, is_conflicted=True),
    ]
    for index in order:
        store_facts("BTC", [facts[index]])
        settle(option.invoice_id, at=NOW)
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.flags, invoice.paid_safe_minor) == ("settled", frozenset(), 10_000)
