"""Random lives of the payouts of one invoice, while its money comes and goes at each of their steps.

Never more leaves than is there and may go back as that kind, also when somebody withdraws it, fails or comes too late.
"""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from threading import Barrier, Thread

import pytest
from django.db import OperationalError, connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cryptons.db import in_transaction
from cryptons.events.models import Event
from cryptons.money import UNITS
from payments.errors import NotCovered, PaymentError, PayoutMoved, PayoutRefused
from payments.models import Cursor, Invoice, Option, Payment, Payout
from payments.payouts.sending import send
from payments.payouts.workflow import (
    approve_payout,
    draft_payout,
    mark_sent,
    move_payout,
    record_sent_by_hand,
    set_destination,
    try_again,
    withdraw_payout,
)
from payments.tests.factories import DUE, NOW, InvoiceFactory, OptionFactory, PaymentFactory
from tests.rows import all_rows
from tests.sequences import PAYOUT_LIVES, settings_for

pytestmark = pytest.mark.django_db(transaction=True)

STAFF = st.sampled_from(["grace", "ada"])
ANYBODY = st.sampled_from(["grace", "ada", "buyer"])
KINDS = st.sampled_from(["excess", "late", "refund"])
NUMBERS = st.integers(0, 5)
NETWORKS = st.sampled_from(["BTC", "BTC-LN"])
MAY_HAVE_LEFT = ("sending", "unknown", "sent")
MAY_HAVE_GONE = ("draft", "approved", "sending", "unknown", "sent")


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT, settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(150), Decimal(200), Decimal(50)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Nothing is sent until the test sends it."""
    monkeypatch.setattr("payments.tasks.enqueue", lambda *_, **__: None)


def in_coins(rows):
    return sum((Fraction(row.amount_base, UNITS[row.network].base_per_coin) for row in rows), Fraction(0))


def part(share, network):
    """So many percent of the price."""
    return DUE * share // 100 * (1000 if network == "BTC-LN" else 1)


class PayoutLife(RuleBasedStateMachine):
    @initialize(share=st.integers(50, 400))
    def an_order_was_paid(self, share):
        self.option = OptionFactory(invoice__status="expired")
        self.invoice_id, self.now, self.payments = self.option.invoice_id, NOW, 0
        self.money_comes("BTC", share, is_safe=True)

    def teardown(self):
        for rows in (Payout, Payment, Option, Invoice, Event, Cursor):
            rows.objects.all().delete()

    def pick(self, number, *statuses):
        """One of the payouts that there are."""
        rows = sorted((row for row in all_rows(Payout) if row.status in (statuses or Payout.Status.values)), key=lambda row: row.pk)
        return rows[number % len(rows)] if rows else None

    @rule(network=NETWORKS, share=st.integers(1, 150), is_safe=st.booleans())
    def money_comes(self, network, share, is_safe):
        self.payments += 1
        PaymentFactory(
            option=self.option,
            network=network,
            amount_base=part(share, network),
            status="settled" if is_safe else "seen",
            reference=f"{self.payments:064x}:0",
        )

    @rule(number=NUMBERS, is_there=st.booleans())
    def a_reorg_takes_money_or_brings_it_back(self, number, is_there):
        rows = list(Payment.objects.filter(status__in=["settled", "gone"]).order_by("pk"))
        values = {"is_present": is_there, "is_conflicted": not is_there, "status": "settled" if is_there else "gone"}
        Payment.objects.filter(pk=rows[number % len(rows)].pk).update(**values)

    @rule(status=st.sampled_from(["expired", "expired", "settled", "settled", "invalid", "processing", "new"]))
    def its_invoice_changes(self, status):
        Invoice.objects.update(status=status)

    @rule(number=NUMBERS)
    def the_sweep_looks_at_one(self, number):
        """In the sandbox, where an approved payout is sent at once."""
        row = self.pick(number)
        if row is None:
            return
        Payout.objects.filter(pk=row.pk).update(next_try_at=self.now)
        send(row.pk, at=self.now)
        self.it_might_leave(row, Payout.objects.get(pk=row.pk))

    @rule(number=NUMBERS)
    def somebody_lets_it_go_on(self, number):
        self.act_on(number, lambda pk: try_again(pk, actor="ada", at=self.now))

    @rule(kind=KINDS, network=NETWORKS, share=st.none() | st.integers(1, 250), by=ANYBODY)
    def somebody_drafts(self, kind, network, share, by):
        amount = share and part(share, network)
        where = {"destination": "there", "actor": by, "reason": "so", "at": self.now}
        with suppress(PayoutRefused):
            draft_payout(self.invoice_id, kind=kind, network=network, amount_base=amount, **where)

    @rule(number=NUMBERS, network=NETWORKS, by=ANYBODY)
    def somebody_says_where_to(self, number, network, by):
        self.act_on(number, lambda pk: set_destination(pk, "elsewhere", network=network, actor=by, at=self.now))

    @rule(number=NUMBERS, by=STAFF)
    def somebody_agrees(self, number, by):
        self.act_on(number, lambda pk: approve_payout(pk, actor=by, at=self.now))

    @rule(share=st.integers(1, 250), network=NETWORKS, minutes=st.integers(0, 60))
    def one_is_drafted_and_both_agree(self, share, network, minutes):
        self.now += timedelta(minutes=minutes)
        self.somebody_drafts("refund", network, share, "buyer")
        for by in ("grace", "ada"):
            self.somebody_agrees(-1, by)

    @rule(number=NUMBERS)
    def somebody_withdraws(self, number):
        self.act_on(number, lambda pk: withdraw_payout(pk, actor="ada", reason="a slip", at=self.now))

    @rule(number=NUMBERS)
    def somebody_sends_by_hand(self, number):
        self.act_on(number, lambda pk: record_sent_by_hand(pk, f"by hand {pk}", actor="ada", reason="so", at=self.now))

    def act_on(self, number, act):
        if payout := self.pick(number):
            with suppress(PayoutRefused):
                act(payout.pk)

    @rule(number=NUMBERS, outcome=st.sampled_from(["sending", "unknown", "failed", "sent"]), is_stale=st.booleans())
    def the_sender_moves_it(self, number, outcome, is_stale):
        """As payments.payouts.sending does: from what it read, which another may have changed since."""
        row = self.pick(number, "approved", "sending", "unknown")
        if row is None:
            return
        before = Payout.objects.get(pk=row.pk)
        with pytest.raises((PayoutMoved, NotCovered)) if is_stale else suppress(NotCovered):
            row.version -= is_stale
            in_transaction(lambda: self.move(row, outcome))
        self.it_might_leave(before, Payout.objects.get(pk=row.pk))

    def it_might_leave(self, before, after):
        """What leaves now is there now, apart from all that has left; an excess is beyond the price; nothing leaves what can be paid."""
        if before.status not in ("draft", "approved") or after.status not in MAY_HAVE_LEFT:
            return
        assert before.status == "approved"
        assert Invoice.objects.get().status not in ("new", "processing")
        there = in_coins(Payment.objects.filter(status="settled", is_present=True))
        left = Payout.objects.filter(status__in=MAY_HAVE_LEFT)
        assert in_coins(left) <= there
        if after.kind == "excess":
            assert in_coins(left.filter(kind="excess")) <= there - Fraction(DUE, UNITS["BTC"].base_per_coin)

    def move(self, row, outcome):
        return mark_sent(row, f"tx {row.pk}", fee_base=1, at=self.now) if outcome == "sent" else move_payout(row, outcome, at=self.now)

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)

    @invariant()
    def all_is_well(self):
        rows, told = all_rows(Payout), {}
        for event in sorted((event for event in all_rows(Event) if event.subject_type == "payout"), key=lambda event: event.seq):
            told.setdefault(event.subject_id, []).append(event)
        self.no_more_goes_back_than_came([row for row in rows if row.status in MAY_HAVE_GONE])
        self.who_may_spend_agreed([row for row in rows if row.status in ("approved", "sending", "unknown")], told)
        self.a_day_has_its_limit([row for row in rows if row.status in MAY_HAVE_GONE and row.approved_at])
        self.the_log_tells_how_each_stands(rows, told)

    def no_more_goes_back_than_came(self, rows):
        """What is gone since was there when they were drafted."""
        assert in_coins(rows) <= in_coins([payment for payment in all_rows(Payment) if payment.status in ("settled", "gone")])

    def who_may_spend_agreed(self, rows, told):
        """More than 50.00 needs two of staff who knew what staff said of where to; no more than 150.00 goes at once."""
        for row in rows:
            people = set()
            for event in told[row.pk]:
                if event.type == "payout.destination" and event.actor != "buyer":
                    people = set()
                people |= {event.actor} - {"", "buyer"}
            assert row.value_minor <= 5_000 or len(people) == 2
            assert row.value_minor <= 15_000

    def a_day_has_its_limit(self, rows):
        for last in rows:
            day = [row for row in rows if last.approved_at - timedelta(hours=24) < row.approved_at <= last.approved_at]
            assert sum(row.value_minor for row in day) <= 20_000

    def the_log_tells_how_each_stands(self, rows, told):
        for row in rows:
            assert [event.seq for event in told[row.pk]] == list(range(1, row.version + 1))
            assert told[row.pk][-1].data["status"] == row.status


def test_no_history_of_payouts_refunds_more_than_was_received():
    run_state_machine_as_test(PayoutLife, settings=settings_for(PAYOUT_LIVES, stateful_step_count=20))


def test_only_one_of_many_simultaneous_drafts_of_the_same_money_succeeds():
    payment = PaymentFactory(status="settled", option__invoice=InvoiceFactory(status="expired"))
    start, drafted = Barrier(6), []

    def draft():
        start.wait()
        with suppress(PaymentError):
            while True:
                try:
                    drafted.append(draft_payout(payment.invoice_id, kind="refund", network="BTC", actor="grace", at=NOW).pk)
                    break
                except OperationalError:  # SQLite in memory lets nobody wait
                    continue
        connection.close()

    threads = [Thread(target=draft) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(drafted) == Payout.objects.count() == 1
