"""Facts come in, a verdict goes out: on the database, in one transaction, safe to repeat."""

from datetime import timedelta

import pytest
from django.db.models import F

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.errors import InvoiceMoved
from payments.invoices.assessment import assess
from payments.invoices.settlement import apply_verdict, settle
from payments.models import Invoice, Option, Payment, Payout
from payments.networks.base import Fact
from payments.sync.facts import store_facts
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, InvoiceFactory, OptionFactory, PaymentFactory, PayoutFactory
from payments.tests.subjects import RecordingJobs, RecordingSubject

pytestmark = pytest.mark.django_db


def fact(option, reference="a" * 64 + ":0", amount=DUE, **more):
    return Fact(reference=reference, destination=option.destination, amount_base=amount, first_seen_at=NOW, **more)


@pytest.fixture
def heard(monkeypatch):
    """What the subject was told, in order."""
    shop = RecordingSubject()
    monkeypatch.setattr("payments.subject._registered", [shop])
    return shop.verdicts


def test_a_fact_stores_a_payment_and_marks_its_invoice_for_evaluation():
    option = OptionFactory()

    touched = store_facts("BTC", [fact(option)])

    payment = Payment.objects.get()
    option.invoice.refresh_from_db()
    assert touched == {option.invoice_id}
    assert (payment.invoice_id, payment.amount_base, payment.status) == (option.invoice_id, DUE, "seen")
    assert (option.invoice.needs_settling, option.invoice.version) == (True, 2)


def test_the_same_fact_twice_changes_nothing():
    option = OptionFactory()
    store_facts("BTC", [fact(option)])

    assert store_facts("BTC", [fact(option)]) == set()

    option.invoice.refresh_from_db()
    assert Payment.objects.count() == 1
    assert option.invoice.version == 2


def test_money_for_a_foreign_address_is_ignored():
    option = OptionFactory.build(destination="bcrt1qsomebodyelse")
    assert store_facts("BTC", [fact(option)]) == set()
    assert not Payment.objects.exists()


def test_money_for_the_same_address_on_another_network_is_ignored():
    option = OptionFactory()
    assert store_facts("LTC", [fact(option)]) == set()


def test_one_transaction_can_pay_two_invoices():
    first, second = OptionFactory(), OptionFactory()
    touched = store_facts("BTC", [fact(first, "b" * 64 + ":0"), fact(second, "b" * 64 + ":1")])
    assert touched == {first.invoice_id, second.invoice_id}


def test_two_outputs_of_one_transaction_to_one_invoice_add_up():
    option = OptionFactory()
    store_facts("BTC", [fact(option, "b" * 64 + ":0", DUE // 2), fact(option, "b" * 64 + ":1", DUE // 2)])
    assert settle(option.invoice_id, at=NOW).status == "processing"


def test_a_transaction_that_the_node_forgot_is_gone_although_the_fact_has_no_address():
    payment = PaymentFactory()
    gone = Fact(reference=payment.reference, destination="", amount_base=0, first_seen_at=NOW + timedelta(days=1), is_present=False)

    assert store_facts("BTC", [gone]) == {payment.invoice_id}

    payment.refresh_from_db()
    assert (payment.is_present, payment.amount_base, payment.first_seen_at) == (False, DUE, NOW + timedelta(minutes=1))


def test_a_final_payment_no_longer_changes():
    payment = PaymentFactory(is_final=True, height=TIP - 9)
    assert store_facts("BTC", [fact(payment.option, payment.reference, is_present=False)]) == set()


def test_the_earliest_time_at_which_a_payment_was_seen_counts():
    payment = PaymentFactory(first_seen_at=NOW + timedelta(minutes=20))
    store_facts("BTC", [fact(payment.option, payment.reference)])
    payment.refresh_from_db()
    assert payment.first_seen_at == NOW


def test_seen_money_makes_an_invoice_processing(heard):
    payment = PaymentFactory()

    settle(payment.invoice_id, at=NOW)

    invoice = Invoice.objects.get()
    event = Event.objects.get()
    assert (invoice.status, invoice.paid_seen_minor, invoice.paid_safe_minor, invoice.version) == ("processing", 10_000, 0, 2)
    assert (event.type, event.subject_id, event.seq) == ("invoice.processing", invoice.pk, 2)
    assert heard == [("processing", frozenset())]


def test_a_payment_with_enough_confirmations_settles_its_invoice(heard):
    CursorFactory()
    payment = PaymentFactory(height=TIP - 1)

    settle(payment.invoice_id, at=NOW)

    payment.refresh_from_db()
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.settled_at, payment.status) == ("settled", NOW, "settled")


def test_settling_twice_informs_the_shop_once(heard):
    payment = PaymentFactory()
    settle(payment.invoice_id, at=NOW)
    settle(payment.invoice_id, at=NOW)
    assert len(heard) == Event.objects.count() == 1


def test_settling_clears_needs_settling_even_without_a_change():
    invoice = InvoiceFactory(needs_settling=True)
    OptionFactory(invoice=invoice)

    settle(invoice.pk, at=NOW)

    invoice.refresh_from_db()
    assert (invoice.needs_settling, invoice.version) == (False, 1)


def test_settling_one_invoice_leaves_the_others_marked():
    other = InvoiceFactory(needs_settling=True)
    settle(InvoiceFactory(needs_settling=True).pk, at=NOW)
    assert Invoice.objects.get(needs_settling=True) == other


def test_a_fact_that_comes_during_an_evaluation_without_news_leaves_the_invoice_marked(monkeypatch):
    option = OptionFactory(invoice__needs_settling=True)

    def assess_and_be_slow(invoice, at):
        assessment = assess(invoice, at)
        store_facts("BTC", [fact(option)])
        return assessment

    monkeypatch.setattr("payments.invoices.settlement.assess", assess_and_be_slow)

    settle(option.invoice_id, at=NOW)

    assert Invoice.objects.get().needs_settling


def test_a_written_verdict_clears_needs_settling():
    option = OptionFactory()
    store_facts("BTC", [fact(option)])
    settle(option.invoice_id, at=NOW)
    assert Invoice.objects.values_list("status", "needs_settling").get() == ("processing", False)


def test_a_change_that_keeps_the_status_is_an_update():
    payment = PaymentFactory(amount_base=DUE // 2)
    settle(payment.invoice_id, at=NOW)
    assert Event.objects.values_list("type", flat=True).get() == "invoice.updated"


def test_the_event_of_a_verdict_names_the_invoices_state_and_the_payments_that_moved():
    CursorFactory()
    moved = PaymentFactory(amount_base=DUE // 2, height=TIP - 1)
    PaymentFactory(option=moved.option, amount_base=DUE // 4)

    settle(moved.invoice_id, at=EXPIRY)

    event = Event.objects.get()
    assert (event.type, event.subject_id, event.seq, event.actor) == ("invoice.expired", moved.invoice_id, 2, "")
    assert event.data == {
        "status": "expired",
        "flags": ["underpaid"],
        "paidSeenMinor": 7_500,
        "paidSafeMinor": 5_000,
        "exceptions": ["underpaid"],
        "payments": [{"network": "BTC", "reference": moved.reference, "amount": moved.amount_text, "status": "settled"}],
    }
    assert moved.amount_text == "0.00100000"


def test_the_event_of_a_verdict_names_no_exceptions_that_nobody_must_decide_about():
    payment = PaymentFactory(amount_base=DUE // 2)
    settle(payment.invoice_id, at=EXPIRY)
    Invoice.objects.update(needs_decision=False)
    CursorFactory()
    Payment.objects.update(height=TIP - 1)

    settle(payment.invoice_id, at=EXPIRY)

    event = Event.objects.latest("seq")
    assert (event.type, event.data["exceptions"], event.data["paidSafeMinor"]) == ("invoice.updated", [], 5_000)


def test_a_dismissed_exception_stays_dismissed_when_its_money_only_confirms():
    payment = PaymentFactory(amount_base=DUE // 2)
    settle(payment.invoice_id, at=EXPIRY)
    Invoice.objects.update(needs_decision=False)
    CursorFactory()
    Payment.objects.update(height=TIP - 1)

    settle(payment.invoice_id, at=EXPIRY)

    invoice = Invoice.objects.get()
    assert (invoice.exceptions, invoice.needs_decision, invoice.exception_at) == ({"underpaid"}, False, None)


def test_an_exception_waits_since_its_first_time_although_the_invoice_changes_meanwhile():
    payment = PaymentFactory(amount_base=DUE // 4)
    settle(payment.invoice_id, at=EXPIRY)
    assert Invoice.objects.get().exception_at == EXPIRY
    PaymentFactory(option=payment.option, amount_base=DUE // 4)

    settle(payment.invoice_id, at=EXPIRY + timedelta(hours=1))
    assert Invoice.objects.get().exception_at == EXPIRY

    Invoice.objects.update(needs_decision=False)
    PaymentFactory(option=payment.option, amount_base=DUE // 4)
    settle(payment.invoice_id, at=EXPIRY + timedelta(hours=2))
    assert Invoice.objects.get().exception_at == EXPIRY + timedelta(hours=2)


def test_staff_get_one_mail_about_an_exception_and_another_when_it_is_another_one(settings):
    settings.STAFF_EMAIL = ["staff@example.com"]
    mails = Mail.objects.filter(key__startswith="exception:")
    payment = PaymentFactory(amount_base=DUE // 4)
    settle(payment.invoice_id, at=NOW)
    assert mails.count() == 0
    settle(payment.invoice_id, at=EXPIRY)
    assert mails.count() == 1

    PaymentFactory(option=payment.option, amount_base=DUE // 4)
    settle(payment.invoice_id, at=EXPIRY)
    assert mails.count() == 1

    PaymentFactory(option=payment.option, amount_base=DUE, first_seen_at=EXPIRY + timedelta(days=1))
    settle(payment.invoice_id, at=EXPIRY)
    assert mails.count() == 2


def test_a_verdict_makes_the_payouts_of_its_invoice_due_that_can_still_be_stopped():
    """Their money may have gone."""
    payment = PaymentFactory()
    for status in ("draft", "approved", "sending", "unknown", "failed", "withdrawn"):
        PayoutFactory(invoice=payment.invoice, status=status)
    PayoutFactory(status="draft")

    settle(payment.invoice_id, at=EXPIRY)

    due = Payout.objects.filter(next_try_at=EXPIRY)
    assert sorted(due.values_list("status", flat=True)) == ["approved", "draft"]
    assert {payout.invoice_id for payout in due} == {payment.invoice_id}
    assert Payout.objects.exclude(pk__in=due).filter(next_try_at=None).count() == 5


def test_the_first_settlement_is_the_time_at_which_an_invoice_settled():
    CursorFactory()
    payment = PaymentFactory(height=TIP - 1)
    settle(payment.invoice_id, at=NOW)
    PaymentFactory(option=payment.option, height=TIP - 1)
    settle(payment.invoice_id, at=EXPIRY)
    assert Invoice.objects.values_list("status", "settled_at").get() == ("settled", NOW)


def test_a_verdict_moves_only_the_payments_of_its_invoice():
    CursorFactory()
    payment, other = PaymentFactory(height=TIP - 1), PaymentFactory(height=TIP - 1)
    settle(payment.invoice_id, at=NOW)
    assert (Payment.objects.get(status="settled"), Payment.objects.get(status="seen")) == (payment, other)


@pytest.mark.parametrize(("paid", "at", "closes"), [(DUE // 2, NOW, False), (DUE, NOW, True), (DUE // 2, EXPIRY, True)])
def test_the_lightning_invoices_of_an_invoice_are_closed_once_it_needs_no_more_money(monkeypatch, paid, at, closes):
    jobs = RecordingJobs()
    monkeypatch.setattr("payments.jobs._registered", [jobs])
    payment = PaymentFactory(amount_base=paid)
    settle(payment.invoice_id, at=at)
    assert jobs.closed == ([payment.invoice_id] if closes else [])


def test_the_shop_follows_an_invoice_with_its_new_values_and_the_time(monkeypatch):
    followed = []

    class Shop(RecordingSubject):
        def on_invoice(self, invoice, *, at):
            followed.append((invoice.status, invoice.paid_seen_minor, invoice.version, at))

    monkeypatch.setattr("payments.subject._registered", [Shop()])
    settle(PaymentFactory().invoice_id, at=EXPIRY)
    assert followed == [("processing", 10_000, 2, EXPIRY)]


def test_a_verdict_on_an_outdated_version_changes_nothing_and_raises(heard):
    payment = PaymentFactory()
    invoice = Invoice.objects.get()
    Payment.objects.update(is_safe=True)
    assessment = assess(invoice, NOW)
    assert dict(assessment.moved) == {payment: "settled"}
    Invoice.objects.update(version=F("version") + 1)

    with pytest.raises(InvoiceMoved, match=r"^This was changed at the same moment\. Please check it again\.$"):
        apply_verdict(assessment)

    payment.refresh_from_db()
    assert (payment.status, Event.objects.count(), heard) == ("seen", 0, [])


@pytest.mark.django_db(transaction=True)
def test_a_verdict_is_refused_when_a_fact_came_after_it_was_made(heard):
    payment = PaymentFactory()

    assessment = assess(Invoice.objects.get(), NOW)
    store_facts("BTC", [fact(payment.option, "c" * 64 + ":0")])
    with pytest.raises(InvoiceMoved):
        apply_verdict(assessment)
    assert (heard, Invoice.objects.get().needs_settling) == ([], True)


@pytest.mark.django_db(transaction=True)
def test_a_failure_of_the_shop_rolls_back_the_whole_verdict(monkeypatch):
    payment = PaymentFactory()
    monkeypatch.setattr("payments.subject._registered", [RecordingSubject(failure=InvoiceMoved("lost a race"))])
    with pytest.raises(InvoiceMoved):
        settle(payment.invoice_id, at=NOW)
    assert (Invoice.objects.get().status, Event.objects.count()) == ("new", 0)


def test_a_reorg_after_settlement_puts_the_invoice_back_to_processing(heard):
    CursorFactory()
    payment = PaymentFactory(height=TIP - 1)
    settle(payment.invoice_id, at=NOW)
    store_facts("BTC", [fact(payment.option, payment.reference)])

    settle(payment.invoice_id, at=EXPIRY)

    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.flags, invoice.settled_at) == ("processing", {"reorged"}, NOW)


def test_a_payment_that_is_mined_again_settles_its_invoice_again(heard):
    test_a_reorg_after_settlement_puts_the_invoice_back_to_processing(heard)
    option = Option.objects.get()
    store_facts("BTC", [fact(option, Payment.objects.get().reference, height=TIP - 1)])

    settle(option.invoice_id, at=EXPIRY)

    assert [status for status, _ in heard] == ["settled", "processing", "settled"]
    assert Invoice.objects.get().flags == frozenset()


def test_the_events_replay_to_the_stored_state():
    CursorFactory()
    option = OptionFactory()
    for height in (None, TIP - 1, None):
        store_facts("BTC", [fact(option, height=height)])
        settle(option.invoice_id, at=EXPIRY)

    invoice = Invoice.objects.get()
    last = Event.objects.filter(subject_id=invoice.pk).latest("seq")
    assert (last.data["status"], last.data["flags"], last.data["paidSeenMinor"]) == ("processing", ["reorged"], 10_000)
    assert (invoice.status, sorted(invoice.flags), invoice.paid_seen_minor) == ("processing", ["reorged"], 10_000)
    assert list(Event.objects.order_by("seq").values_list("type", flat=True)) == [
        "invoice.processing",
        "invoice.settled",
        "invoice.processing",
    ]
