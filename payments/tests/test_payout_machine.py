"""Random lives of the payouts of one invoice: never more goes back than came, whoever drafts, withdraws, fails or comes too late."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from threading import Barrier, Thread

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cryptons.db import in_transaction
from cryptons.events.models import Event
from cryptons.money import UNITS
from payments.errors import PaymentError, PayoutMoved, PayoutRefused
from payments.models import Cursor, Invoice, Option, Payment, Payout
from payments.payouts import approve_payout, draft_payout, mark_sent, move_payout, record_sent_by_hand, set_destination, withdraw_payout
from payments.tests.factories import DUE, NOW, InvoiceFactory, OptionFactory, PaymentFactory

pytestmark = pytest.mark.django_db(transaction=True)

STAFF = st.sampled_from(["grace", "ada"])
ANYBODY = st.sampled_from(["grace", "ada", "buyer"])
KINDS = st.sampled_from(["excess", "late", "refund"])
NETWORKS = st.sampled_from(["BTC", "BTC-LN"])
MAY_HAVE_GONE = ("draft", "approved", "sending", "unknown", "sent")


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT, settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(150), Decimal(200), Decimal(50)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Nobody sends by itself."""
    monkeypatch.setattr("payments.tasks.soon", lambda *_, **__: None)


def in_coins(rows):
    return sum((Fraction(row.amount_base, UNITS[row.network].base_per_coin) for row in rows), Fraction(0))


class PayoutLife(RuleBasedStateMachine):
    payouts = Bundle("payouts")

    def __init__(self):
        super().__init__()
        self.option = OptionFactory(invoice__status="expired")
        self.invoice_id, self.now, self.payments = self.option.invoice_id, NOW, 0

    def teardown(self):
        for rows in (Payout, Payment, Option, Invoice, Event, Cursor):
            rows.objects.all().delete()

    def receive(self, network, amount, status="settled"):
        self.payments += 1
        PaymentFactory(option=self.option, network=network, amount_base=amount, status=status, reference=f"{self.payments:064x}:0")

    @rule(network=NETWORKS, share=st.integers(1, 150), is_safe=st.booleans())
    def money_comes(self, network, share, is_safe):
        amount = DUE * share // 100 * (1000 if network == "BTC-LN" else 1)
        self.receive(network, amount, "settled" if is_safe else "seen")

    @rule(
        target=payouts,
        kind=st.sampled_from(["excess", "late", "refund"]),
        network=NETWORKS,
        share=st.none() | st.integers(1, 250),
        by=STAFF,
    )
    def somebody_drafts(self, kind, network, share, by):
        amount = share and DUE * share // 100 * (1000 if network == "BTC-LN" else 1)
        try:
            return draft_payout(
                self.invoice_id, kind=kind, network=network, amount_base=amount, destination="there", actor=by, reason="so", at=self.now
            ).pk
        except PayoutRefused:
            return None

    @rule(payout=payouts, network=NETWORKS, by=ANYBODY)
    def somebody_says_where_to(self, payout, network, by):
        self.try_to(payout, lambda: set_destination(payout, "elsewhere", network=network, actor=by, at=self.now))

    @rule(payout=payouts, by=STAFF)
    def somebody_agrees(self, payout, by):
        self.try_to(payout, lambda: approve_payout(payout, actor=by, at=self.now))

    @rule(payout=payouts)
    def somebody_withdraws(self, payout):
        self.try_to(payout, lambda: withdraw_payout(payout, actor="ada", reason="a slip", at=self.now))

    @rule(payout=payouts)
    def somebody_sends_by_hand(self, payout):
        self.try_to(payout, lambda: record_sent_by_hand(payout, f"by hand {payout}", actor="ada", reason="so", at=self.now))

    @rule(payout=payouts, outcome=st.sampled_from(["sending", "unknown", "failed", "sent"]), is_stale=st.booleans())
    def the_sender_moves_it(self, payout, outcome, is_stale):
        """As payments.sending does: from what it read, which another may have changed since."""
        row = Payout.objects.filter(pk=payout, status__in=["approved", "sending", "unknown"]).first()
        if row is None:
            return
        if is_stale:
            row.version -= 1
        act = (lambda: mark_sent(row, f"tx {payout}", fee_base=1, at=self.now)) if outcome == "sent" else self.mover(row, outcome)
        if is_stale:
            with pytest.raises(PayoutMoved):
                in_transaction(act)
        else:
            in_transaction(act)

    def mover(self, row, outcome):
        return lambda: move_payout(row, outcome, at=self.now)

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)

    def try_to(self, payout, act):
        if payout is not None:
            with suppress(PayoutRefused):
                act()

    @invariant()
    def all_is_well(self):
        rows = list(Payout.objects.all())
        self.no_more_goes_back_than_came([row for row in rows if row.status in MAY_HAVE_GONE])
        self.who_may_spend_agreed([row for row in rows if row.status in ("approved", "sending", "unknown")])
        self.a_day_has_its_limit([row for row in rows if row.status in MAY_HAVE_GONE and row.approved_at])
        self.the_log_tells_how_each_stands(rows)

    def no_more_goes_back_than_came(self, rows):
        assert in_coins(rows) <= in_coins(Payment.objects.filter(status="settled"))

    def who_may_spend_agreed(self, rows):
        """More than 50.00 needs two of staff, whoever else spoke; no more than 150.00 goes at once."""
        for row in rows:
            named = {row.created_by, row.approved_by, row.confirmed_by} - {"", "buyer"}
            assert row.value_minor <= 5_000 or len(named) == 2
            assert row.value_minor <= 15_000

    def a_day_has_its_limit(self, rows):
        for last in rows:
            day = [row for row in rows if last.approved_at - timedelta(hours=24) < row.approved_at <= last.approved_at]
            assert sum(row.value_minor for row in day) <= 20_000

    def the_log_tells_how_each_stands(self, rows):
        told = {row.pk: [] for row in rows}
        for event in Event.objects.filter(subject_type="payout").order_by("seq"):
            told[event.subject_id].append(event)
        for row in rows:
            assert [event.seq for event in told[row.pk]] == list(range(1, row.version + 1))
            assert told[row.pk][-1].data["status"] == row.status


def test_no_life_of_payouts_sends_back_more_than_came():
    run_state_machine_as_test(
        PayoutLife,
        settings=settings(max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def test_of_many_who_draft_the_same_money_at_once_one_does():
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
