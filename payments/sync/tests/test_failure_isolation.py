"""An invoice, payment or payout that cannot be processed does not keep the others waiting."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import OperationalError, ProgrammingError
from django.utils import timezone

from cryptons.coins import BITCOIN
from cryptons.db import new_id
from payments import tasks
from payments.alerts import MOST_FAILURES, alert_of_failure
from payments.models import Alert, Cursor, Invoice, Option, Payment, Payout
from payments.networks.base import FactPage
from payments.networks.bitcoin import network as bitcoin
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401
from payments.networks.sandbox import network as sandbox
from payments.networks.sandbox.network import receive
from payments.payouts.tests.payout_steps import covered_payout
from payments.sync.follower import poll
from payments.sync.option_sweep import check_open_options
from payments.tasks import settle_invoices, sweep_invoices, sweep_payouts
from payments.tests.factories import DUE, NOW, OptionFactory, PaymentFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


def option(now, *, minutes=15, **more):
    return OptionFactory(
        created_at=now,
        invoice__created_at=now - timedelta(hours=1),
        invoice__expires_at=now + timedelta(minutes=minutes),
        invoice__monitor_until=now + timedelta(days=30),
        **more,
    )


def paid(now, **more):
    option_of = option(now, **more)
    Invoice.objects.filter(pk=option_of.invoice_id).update(needs_settling=True)
    return PaymentFactory(option=option_of, first_seen_at=now - timedelta(minutes=1))


def poison(payment):
    """Give the payment an unknown network, so that it cannot be valued."""
    Payment.objects.filter(pk=payment.pk).update(network="DOGE")


def heal(payment):
    Payment.objects.filter(pk=payment.pk).update(network="BTC")


def status_of(payment):
    return Invoice.objects.get(pk=payment.invoice_id).status


# --- verdicts ---


def test_an_invoice_that_cannot_be_settled_does_not_keep_others_waiting_in_the_sweep(now, caplog):
    payments = [paid(now) for _ in range(4)]
    poison(payments[1])

    sweep_invoices()

    assert [status_of(payment) for payment in payments] == ["processing", "new", "processing", "processing"]
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (record.reference, record.error) == (str(payments[1].invoice_id), "KeyError")
    alert = Alert.objects.get()
    assert str(payments[1].invoice_id) in alert.text
    assert "KeyError" in alert.text


def test_an_invoice_that_cannot_be_settled_is_tried_again_and_alerted_once(now):
    payment = paid(now)
    poison(payment)
    sweep_invoices()
    sweep_invoices()
    assert Alert.objects.count() == 1

    heal(payment)
    sweep_invoices()

    assert status_of(payment) == "processing"


def test_an_invoice_that_cannot_be_settled_does_not_keep_others_of_its_task_waiting(now):
    payments = [paid(now) for _ in range(3)]
    poison(payments[0])

    settle_invoices([str(payment.invoice_id) for payment in payments])

    assert [status_of(payment) for payment in payments] == ["new", "processing", "processing"]


def test_an_overdue_invoice_that_cannot_be_settled_does_not_prevent_others_from_expiring(now):
    payment = PaymentFactory(option=option(now, minutes=-20), first_seen_at=now)
    poison(payment)
    others = [option(now, minutes=-10) for _ in range(2)]

    sweep_invoices()

    assert status_of(payment) == "new"
    assert [Invoice.objects.get(pk=other.invoice_id).status for other in others] == ["expired", "expired"]


def test_more_broken_invoices_than_a_sweep_takes_do_not_block_the_others(now, monkeypatch):
    monkeypatch.setattr(tasks, "SWEEP", 2)
    monkeypatch.setattr(tasks, "BATCH", 1)
    for _ in range(4):
        poison(paid(now))
    for _ in range(3):
        poison(PaymentFactory(option=option(now, minutes=-20), first_seen_at=now))
    last, overdue = paid(now), option(now, minutes=-10)

    for _ in range(100):
        sweep_invoices()

    assert status_of(last) == "processing"
    assert Invoice.objects.get(pk=overdue.invoice_id).status == "expired"


def test_a_database_outage_ends_the_sweep_at_once(now, monkeypatch):
    for _ in range(2):
        paid(now)
    asked = []

    def away(invoice_id, at):
        asked.append(invoice_id)
        raise OperationalError("gone")

    monkeypatch.setattr(tasks, "settle", away)
    with pytest.raises(OperationalError):
        sweep_invoices()
    assert len(asked) == 1
    assert not Alert.objects.exists()


def test_the_number_of_alerts_is_limited_when_thousands_of_invoices_fail(now):
    for _ in range(MOST_FAILURES + 5):
        alert_of_failure("settling an invoice", new_id(), KeyError("DOGE"), at=now)
    alert_of_failure("sending a payout", new_id(), KeyError("DOGE"), at=now)
    assert Alert.objects.count() == MOST_FAILURES + 1


# --- facts ---


@pytest.fixture
def resting_chain(now):
    sandbox.SandboxChain.objects.create(network="BTC", height=100, mined_at=now)


def test_a_fact_that_cannot_be_stored_does_not_prevent_others_from_being_stored(now, resting_chain, monkeypatch):
    options = [option(now) for _ in range(3)]
    sent = [receive("BTC", each.destination, DUE, at=now) for each in options]
    as_told = sandbox._fact

    def huge(row):
        fact = as_told(row)
        return SimpleNamespace(**{**vars(fact), "amount_base": 10**30}) if row.pk == sent[1].pk else fact

    monkeypatch.setattr(sandbox, "_fact", huge)
    touched = poll("BTC", at=now)

    assert touched == {options[0].invoice_id, options[2].invoice_id}
    cursor = Cursor.objects.get(network="BTC")
    assert cursor.value
    assert (cursor.failing_since, cursor.answered_at) == (None, now)
    assert f"{sent[1].txid}:0" in Alert.objects.get().text
    poll("BTC", at=now)
    assert Alert.objects.count() == 1


def test_the_cursor_does_not_move_when_the_database_lacks_a_migration(now, resting_chain, monkeypatch):
    receive("BTC", option(now).destination, DUE, at=now)

    def fail(network, facts):
        raise ProgrammingError("no such column")

    monkeypatch.setattr("payments.sync.follower.store_facts", fail)
    assert poll("BTC", at=now) == set()

    cursor = Cursor.objects.get(network="BTC")
    assert (cursor.value, cursor.failing_since, cursor.holder) == ("", now, None)
    assert "ProgrammingError" in cursor.last_error


def test_a_database_outage_ends_the_poll_of_a_follower(now, resting_chain, monkeypatch):
    def fail(network, facts):
        raise OperationalError("gone")

    monkeypatch.setattr("payments.sync.follower.store_facts", fail)
    with pytest.raises(OperationalError):
        poll("BTC", at=now)


def test_staff_get_an_alert_for_an_unreadable_entry_that_the_cursor_passes(now, resting_chain, monkeypatch):
    waiting = option(now)
    receive("BTC", waiting.destination, DUE, at=now)
    as_told = sandbox.SandboxNetwork.facts_since

    def with_riddle(self, cursor, unsettled):
        page = as_told(self, cursor, unsettled)
        return FactPage(page.facts, page.cursor, page.tip_height, ("riddle:0",))

    monkeypatch.setattr(sandbox.SandboxNetwork, "facts_since", with_riddle)
    assert poll("BTC", at=now) == {waiting.invoice_id}
    assert "riddle:0" in Alert.objects.get().text


def test_a_network_that_cannot_be_polled_does_not_prevent_invoices_from_settling(now, monkeypatch):
    Cursor.objects.create(network="LTC", answered_at=now - timedelta(hours=1))
    payment, overdue = paid(now), option(now, minutes=-10)

    def fail(self, cursor, unsettled):
        raise KeyError("facts")

    monkeypatch.setattr(sandbox.SandboxNetwork, "facts_since", fail)
    sweep_invoices()

    assert status_of(payment) == "processing"
    assert Invoice.objects.get(pk=overdue.invoice_id).status == "expired"
    cursor = Cursor.objects.get(network="LTC")
    assert cursor.failing_since
    assert "KeyError" in cursor.last_error


def entry(number, **more):
    """As bitcoind tells of money that lies in a block."""
    return {
        "txid": f"{number:064x}",
        "vout": 0,
        "address": f"bcrt1q{number}",
        "category": "receive",
        "amount": Decimal("0.002"),
        "confirmations": 1,
        "timereceived": 1_790_000_000,
        "blocktime": 1_790_000_000,
        "blockheight": 900,
        "blockhash": "ab" * 32,
        **more,
    }


@pytest.mark.parametrize(
    "riddle",
    [{"amount": "a lot"}, {"timereceived": None}, {"confirmations": "some"}, {"amount": Decimal("1E-12")}],
)
def test_an_unreadable_entry_of_bitcoind_does_not_hide_the_others(riddle):
    unread = set()

    facts = bitcoin._facts(SimpleNamespace(coin=BITCOIN), [entry(1), entry(2, **riddle), entry(3)], unread)

    assert set(facts) == {f"{1:064x}:0", f"{3:064x}:0"}
    assert unread == {f"{2:064x}:0"}


def test_an_entry_of_bitcoind_without_a_category_does_not_hide_the_others():
    lacking = entry(2)
    del lacking["category"]
    unread = set()
    facts = bitcoin._facts(SimpleNamespace(coin=BITCOIN), [lacking, entry(1)], unread)
    assert (len(facts), len(unread)) == (1, 1)


# --- Lightning's slow round ---


def test_an_option_that_lnd_cannot_look_up_does_not_end_the_lightning_sweep(lnd, now):
    strange = option(now, network="BTC-LN", destination="not a hash")
    others = [option(now, network="BTC-LN", destination=f"{number:064x}") for number in (1, 2)]
    for other in others:
        lnd.add(other.destination)
        lnd.pay(other.destination, now)

    touched = check_open_options("BTC-LN", at=now)

    assert touched == {other.invoice_id for other in others}
    assert not Option.objects.get(pk=strange.pk).is_closed
    assert "not a hash" in Alert.objects.get().text


def test_an_lnd_that_refuses_every_request_raises_no_alert_for_its_options(lnd, now, settings):
    for number in (1, 2):
        lnd.add(option(now, network="BTC-LN", destination=f"{number:064x}").destination)
    settings.LND_MACAROON = "00" * 32
    tasks.look_after_lightning()
    assert not Alert.objects.exists()


# --- payouts ---


def test_a_payout_that_cannot_be_sent_does_not_keep_others_waiting(monkeypatch):
    first, second = (covered_payout(approved_by="grace", next_try_at=NOW + timedelta(minutes=n)) for n in (0, 1))
    as_ever = tasks.send

    def fail(payout_id, at):
        if payout_id == first.pk:
            raise ZeroDivisionError
        as_ever(payout_id, at=at)

    monkeypatch.setattr(tasks, "send", fail)
    sweep_payouts()

    assert [Payout.objects.get(pk=each.pk).status for each in (first, second)] == ["approved", "sent"]
    assert str(first.pk) in Alert.objects.get().text
