"""Money that comes after its quote has ended: taken when it is soon enough, worth enough and the shop can still serve."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cryptons.events.models import Event
from payments.invoices.late_payments import has_kept_its_worth
from payments.invoices.settlement import settle
from payments.models import Invoice, Payment
from payments.tests.factories import DUE, EXPIRY, TIP, CursorFactory, OptionFactory, PaymentFactory, PayoutFactory
from payments.tests.subjects import RecordingSubject

pytestmark = pytest.mark.django_db

LATE = EXPIRY + timedelta(minutes=60)


@pytest.fixture(autouse=True)
def _rate(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}


def late_payment(*, seen_at=LATE, **more):
    CursorFactory()
    return PaymentFactory(first_seen_at=seen_at, height=TIP - 1, **more)


def test_late_money_within_the_grace_period_is_accepted():
    payment = late_payment()

    settle(payment.invoice_id, at=LATE)

    payment.refresh_from_db()
    invoice = Invoice.objects.get()
    assert (payment.late, invoice.status, invoice.flags, invoice.needs_decision) == ("accepted", "settled", {"late"}, False)
    assert Event.objects.get().data["acceptedLate"] == [payment.reference]


def test_late_money_after_the_grace_period_waits_for_a_decision():
    payment = late_payment(seen_at=LATE + timedelta(milliseconds=1))

    settle(payment.invoice_id, at=LATE)

    payment.refresh_from_db()
    invoice = Invoice.objects.get()
    assert (payment.late, invoice.status, invoice.exceptions, invoice.needs_decision) == ("waiting", "expired", {"late"}, True)
    assert invoice.exception_at == LATE


@pytest.mark.parametrize(("rate", "status"), [("49000.00", "settled"), ("48999.99", "expired"), ("90000.00", "settled")])
def test_late_money_that_lost_more_than_two_percent_of_its_value_is_not_accepted(settings, rate, status):
    settings.FIXED_RATES = {"BTC": Decimal(rate)}
    assert settle(late_payment().invoice_id, at=LATE).status == status


def test_late_money_is_not_accepted_without_a_fresh_rate(settings):
    settings.FIXED_RATES = {}
    assert settle(late_payment().invoice_id, at=LATE).status == "expired"


def test_late_money_is_not_compared_with_a_rate_in_another_currency(settings):
    settings.CURRENCY, settings.FIXED_RATES = "JPY", {"BTC": Decimal(7_000_000)}
    assert settle(late_payment().invoice_id, at=LATE).status == "expired"


@pytest.mark.django_db(transaction=True)
def test_a_shop_that_refuses_late_money_is_not_asked_again(monkeypatch):
    payment, shop = late_payment(), RecordingSubject(refusal="sold out")
    monkeypatch.setattr("payments.subject._registered", [shop])
    settle(payment.invoice_id, at=LATE)
    settle(payment.invoice_id, at=LATE)
    assert (len(shop.asked), Invoice.objects.get().status, Event.objects.count()) == (1, "expired", 1)


def test_late_money_is_accepted_only_when_the_total_is_enough():
    payment = late_payment(amount_base=DUE // 2)

    settle(payment.invoice_id, at=LATE)
    assert Payment.objects.get().late == ""
    assert Invoice.objects.get().exceptions == {"late", "underpaid"}

    PaymentFactory(option=payment.option, amount_base=DUE // 2, first_seen_at=LATE, height=TIP - 1)
    assert settle(payment.invoice_id, at=LATE).status == "settled"


def test_late_money_within_the_grace_period_is_accepted_although_other_money_is_too_late():
    """The result is the same as if the acceptable payment had come alone."""
    payment = late_payment()
    hopeless = PaymentFactory(option=payment.option, first_seen_at=LATE + timedelta(minutes=1))

    assert settle(payment.invoice_id, at=LATE).status == "settled"

    payment.refresh_from_db()
    hopeless.refresh_from_db()
    assert (payment.late, hopeless.late) == ("accepted", "waiting")
    assert Event.objects.get().data["acceptedLate"] == [payment.reference]


def test_late_money_beyond_the_grace_period_does_not_block_money_that_completes_the_price():
    payment = late_payment(amount_base=DUE // 2)
    PaymentFactory(option=payment.option, amount_base=DUE // 2, first_seen_at=LATE + timedelta(minutes=1))
    assert settle(payment.invoice_id, at=LATE).status == "expired"

    PaymentFactory(option=payment.option, amount_base=DUE // 2, first_seen_at=LATE, height=TIP - 1)
    assert settle(payment.invoice_id, at=LATE).status == "settled"


@pytest.mark.parametrize("first", ["the late", "the punctual"])
def test_late_and_punctual_money_give_the_same_result_in_either_order(first):
    CursorFactory()
    option = OptionFactory()
    moments = {"the late": {"first_seen_at": LATE, "height": TIP - 1}, "the punctual": {"first_seen_at": EXPIRY}}
    for which in sorted(moments, key=lambda which: which != first):
        PaymentFactory(option=option, **moments[which])
        settle(option.invoice_id, at=LATE)
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.flags) == ("settled", {"overpaid"})


def test_late_money_that_vanishes_leaves_nothing_to_decide():
    payment = late_payment(seen_at=LATE + timedelta(hours=1))
    settle(payment.invoice_id, at=LATE)
    Payment.objects.update(is_present=False)

    settle(payment.invoice_id, at=LATE)

    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.exceptions, invoice.needs_decision, invoice.exception_at) == ("expired", frozenset(), False, None)


def test_a_cancelled_invoice_does_not_accept_late_money_automatically():
    payment = late_payment()
    Invoice.objects.update(status="cancelled", override="cancelled")
    verdict = settle(payment.invoice_id, at=LATE)
    assert (verdict.status, Payment.objects.get().late, Invoice.objects.get().needs_decision) == ("cancelled", "", True)


def test_a_dismissed_exception_comes_back_when_more_money_comes():
    payment = late_payment(seen_at=LATE + timedelta(hours=1))
    settle(payment.invoice_id, at=LATE)
    Invoice.objects.update(needs_decision=False)
    settle(payment.invoice_id, at=LATE)
    assert not Invoice.objects.get().needs_decision

    PaymentFactory(option=payment.option, amount_base=DUE // 2, first_seen_at=LATE, height=TIP - 1)
    settle(payment.invoice_id, at=LATE)
    assert Invoice.objects.get().needs_decision


def test_the_two_percent_limit_is_compared_exactly():
    assert has_kept_its_worth(Decimal(100), Decimal(98))
    assert not has_kept_its_worth(Decimal(100), Decimal("97.99999999"))


def test_late_money_is_not_accepted_after_a_partial_refund():
    part = PaymentFactory(amount_base=DUE // 2, status="settled", height=TIP - 1)
    settle(part.invoice_id, at=LATE)
    PayoutFactory(invoice=part.invoice, amount_base=DUE // 2, status="sent")
    CursorFactory()
    PaymentFactory(option=part.option, amount_base=DUE, first_seen_at=LATE, height=TIP - 1)

    settle(part.invoice_id, at=LATE)

    assert (Invoice.objects.get().status, Payment.objects.latest("first_seen_at").late) == ("expired", "waiting")


def test_an_invoice_that_accepted_late_money_settled_at_the_time_of_the_acceptance():
    settle(late_payment().invoice_id, at=LATE)
    assert Invoice.objects.get().settled_at == LATE


def test_late_money_that_is_too_late_is_not_credited_beside_the_accepted_money():
    """The hopeless payment is confirmed, the accepted one is not: the invoice is not settled."""
    hopeless = late_payment(seen_at=LATE + timedelta(minutes=1))
    PaymentFactory(option=hopeless.option, first_seen_at=LATE)

    verdict = settle(hopeless.invoice_id, at=LATE)

    assert (verdict.status, Invoice.objects.get().status, Invoice.objects.get().settled_at) == ("processing", "processing", None)


def test_accepting_late_money_decides_about_no_payment_of_another_invoice():
    payment, other = late_payment(), PaymentFactory(first_seen_at=LATE, height=TIP - 1)
    settle(payment.invoice_id, at=LATE)
    assert Payment.objects.get(late="accepted") == payment
    assert Payment.objects.get(late="") == other


def test_the_shop_is_asked_for_the_invoice_whose_late_money_is_accepted(monkeypatch):
    payment, shop = late_payment(), RecordingSubject()
    monkeypatch.setattr("payments.subject._registered", [shop])
    settle(payment.invoice_id, at=LATE)
    assert (shop.asked, shop.verdicts) == ([payment.invoice_id], [("settled", frozenset({"late"}))])


def test_accepted_late_money_is_credited_at_the_rate_of_its_quote(settings):
    settings.FIXED_RATES = {"BTC": Decimal("90000.00")}
    verdict = settle(late_payment().invoice_id, at=LATE)
    assert (verdict.paid_safe_minor, Payment.objects.get().minor_per_coin) == (10_000, None)


def test_the_event_names_the_late_payments_that_were_accepted_and_those_that_wait():
    accepted = late_payment()
    waiting = PaymentFactory(option=accepted.option, first_seen_at=LATE + timedelta(minutes=1))
    settle(accepted.invoice_id, at=LATE)
    data = Event.objects.get().data
    assert (data["acceptedLate"], data["waitingLate"]) == ([accepted.reference], [waiting.reference])


def test_the_event_of_punctual_money_names_no_late_payments():
    CursorFactory()
    settle(PaymentFactory(height=TIP - 1).invoice_id, at=LATE)
    assert not {"acceptedLate", "waitingLate"} & Event.objects.get().data.keys()


def test_late_money_waits_beside_money_that_was_decided_about_before():
    """Only what is new is named."""
    decided = late_payment(seen_at=LATE + timedelta(minutes=1))
    settle(decided.invoice_id, at=LATE)
    new = PaymentFactory(option=decided.option, first_seen_at=LATE + timedelta(minutes=2))
    settle(decided.invoice_id, at=LATE)
    assert Event.objects.latest("seq").data["waitingLate"] == [new.reference]


@pytest.mark.django_db(transaction=True)
def test_the_log_says_why_late_money_waits(monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr("payments.subject._registered", [RecordingSubject(refusal="sold out")])
    settle(late_payment().invoice_id, at=LATE)
    (entry,) = [entry for entry in caplog.records if entry.name == "payments.invoices.settlement"]
    assert (entry.levelname, entry.message, entry.error) == ("INFO", "late money waits for a decision", "sold out")
