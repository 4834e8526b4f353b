"""What the rows of an invoice come to: its payments, their statuses, the late ones, and the verdict on all of it. Nothing is written."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from payments.invoices.assessment import as_accepted, assess, received_as, terms_of
from payments.models import Invoice, Payment
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, InvoiceFactory, OptionFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db

LATE = EXPIRY + timedelta(minutes=1)


def read():
    return assess(Invoice.objects.get(), EXPIRY)


def late(**more):
    return PaymentFactory(first_seen_at=LATE, **more)


# --- One payment ----------------------------------------------------------------------------------------------------------


def test_an_accepted_copy_of_a_late_payment_leaves_the_payment_as_it_was():
    payment = late()
    accepted = as_accepted(payment)
    assert (accepted, accepted.late, payment.late) == (payment, "accepted", "")


@pytest.mark.parametrize(
    ("stored", "given", "credited"),
    [(None, None, 5_000_000), (None, 4_000_000, 4_000_000), (3_000_000, None, 3_000_000), (3_000_000, 4_000_000, 4_000_000)],
)
def test_a_late_payment_is_accepted_at_the_given_rate_or_at_the_one_that_it_has(stored, given, credited):
    payment = late(minor_per_coin=stored)
    accepted = as_accepted(payment, minor_per_coin=given and Decimal(given))
    assert accepted.credited_minor_per_coin == credited
    assert received_as(accepted, "seen").value_minor == Fraction(DUE * credited, 10**8)
    assert payment.minor_per_coin == stored


def test_a_payment_is_worth_its_amount_at_the_rate_of_its_quote():
    received = received_as(PaymentFactory(), "seen")
    assert (received.value_minor, received.dust_minor) == (10_000, Fraction(546 * 5_000_000, 10**8))
    assert (received.first_seen_at, received.due_by, received.status) == (NOW + timedelta(minutes=1), EXPIRY, "seen")
    assert (received.is_accepted, received.is_conflicted, received.is_mined) == (False, False, False)


@pytest.mark.parametrize(
    ("facts", "is_mined"), [({"height": 0}, True), ({"height": 5}, True), ({"is_safe": True}, True), ({"is_final": True}, False)]
)
def test_a_payment_is_mined_in_a_block_or_on_a_network_that_needs_none(facts, is_mined):
    assert received_as(PaymentFactory(**facts), "seen").is_mined is is_mined


def test_a_payment_says_whether_it_was_accepted_or_double_spent():
    received = received_as(PaymentFactory(late="accepted", is_conflicted=True), "gone")
    assert (received.is_accepted, received.is_conflicted, received.status) == (True, True, "gone")
    assert received_as(late(late="waiting"), "seen").is_accepted is False


# --- All payments of an invoice -------------------------------------------------------------------------------------------


def test_an_invoice_without_payments_is_assessed_as_stored():
    invoice = InvoiceFactory()
    assessment = assess(invoice, NOW)
    assert (assessment.statuses, assessment.moved, assessment.is_stored, assessment.undecided_late) == ({}, {}, True, [])
    assert (assessment.invoice, assessment.at) == (invoice, NOW)


def test_only_payments_whose_status_differs_from_the_stored_one_have_moved():
    CursorFactory()
    moved = PaymentFactory(amount_base=DUE // 2, height=TIP - 1)
    kept = PaymentFactory(option=moved.option, amount_base=DUE // 2)

    assessment = read()

    assert assessment.statuses == {moved: "settled", kept: "seen"}
    assert assessment.moved == {moved: "settled"}
    assert (assessment.verdict.status, assessment.is_stored) == ("processing", False)


def test_an_assessment_is_not_stored_while_one_payment_has_moved_although_the_verdict_is_the_same():
    PaymentFactory(amount_base=0, is_present=False)
    assessment = assess(Invoice.objects.get(), NOW)
    assert (assessment.verdict.status, list(assessment.moved.values()), assessment.is_stored) == ("new", ["gone"], False)


def test_the_payments_of_another_invoice_do_not_count():
    PaymentFactory()
    assert assess(OptionFactory().invoice, NOW).statuses == {}


def test_each_payment_is_measured_against_the_tip_of_its_own_network():
    CursorFactory()
    CursorFactory(network="LTC", tip_height=TIP + 1_000)
    bitcoin = PaymentFactory(height=TIP)
    litecoin = PaymentFactory(option=OptionFactory(invoice=bitcoin.invoice, network="LTC"), height=TIP + 999)
    assert read().statuses == {bitcoin: "seen", litecoin: "settled"}


def test_the_invoice_says_how_many_confirmations_its_payments_need():
    CursorFactory()
    payment = PaymentFactory(option__invoice__confirmations_needed=3, height=TIP - 1)
    assert read().statuses == {payment: "seen"}
    Payment.objects.update(height=TIP - 2)
    assert read().statuses == {payment: "settled"}


# --- Late payments --------------------------------------------------------------------------------------------------------


def test_late_payments_that_complete_the_price_need_a_decision():
    half = PaymentFactory(amount_base=DUE // 2)
    other = late(option=half.option, amount_base=DUE // 2)
    assert read().undecided_late == [other]


@pytest.mark.parametrize("facts", [{"late": "waiting"}, {"late": "accepted"}, {"is_present": False}, {"amount_base": DUE // 2}])
def test_late_payments_that_are_decided_or_gone_or_too_small_need_no_decision(facts):
    late(**facts)
    assert read().undecided_late == []


def test_money_that_is_gone_does_not_help_late_payments_to_complete_the_price():
    gone = PaymentFactory(amount_base=DUE // 2, is_present=False)
    late(option=gone.option, amount_base=DUE // 2)
    assert read().undecided_late == []


@pytest.mark.parametrize("override", ["settled", "invalid", "cancelled"])
def test_late_payments_need_no_decision_once_a_person_has_decided_about_the_invoice(override):
    late(option__invoice__override=override)
    assert read().undecided_late == []


def test_accepting_nothing_completes_no_price():
    PaymentFactory()
    assert read().completes_with([]) is False


# --- What was refunded ----------------------------------------------------------------------------------------------------


def returned(invoice):
    return terms_of(invoice, list(Payment.objects.filter(invoice=invoice))).returned_minor


@pytest.mark.parametrize(
    ("status", "expected"), [("draft", 5_000), ("approved", 5_000), ("unknown", 5_000), ("sent", 5_000), ("failed", 0), ("withdrawn", 0)]
)
def test_a_refund_counts_as_returned_from_its_draft_on_until_it_is_over(status, expected):
    invoice = PaymentFactory().invoice
    PayoutFactory(invoice=invoice, amount_base=DUE // 2, status=status)
    assert returned(invoice) == expected


def test_several_refunds_are_returned_together_and_those_of_other_invoices_are_not():
    invoice = PaymentFactory().invoice
    PayoutFactory(invoice=invoice, amount_base=DUE // 2)
    PayoutFactory(invoice=invoice, amount_base=DUE // 4, kind="late")
    PayoutFactory(invoice=PaymentFactory().invoice)
    assert returned(invoice) == 7_500


def test_a_refund_is_worth_the_rate_at_which_the_payment_was_credited():
    payment = late(late="accepted", minor_per_coin=Decimal(4_000_000))
    PayoutFactory(invoice=payment.invoice, minor_per_coin=Decimal(9_000_000))
    assert returned(payment.invoice) == 8_000


def test_a_refund_over_lightning_is_worth_the_rate_of_bitcoin():
    payment = PaymentFactory()
    PayoutFactory(invoice=payment.invoice, network="BTC-LN", amount_base=DUE * 500)
    assert returned(payment.invoice) == 5_000


def test_a_refund_in_a_coin_that_was_never_received_has_no_rate_and_returns_nothing():
    payment = PaymentFactory()
    PayoutFactory(invoice=payment.invoice, network="LTC")
    PayoutFactory(invoice=payment.invoice, amount_base=DUE // 2)
    assert returned(payment.invoice) == 5_000
    assert terms_of(payment.invoice).returned_minor == 0


@pytest.mark.parametrize(("settled_at", "expected"), [(NOW - timedelta(seconds=1), 0), (NOW, 0), (NOW + timedelta(seconds=1), 10_000)])
def test_only_a_refund_from_before_the_invoice_settled_reduces_what_was_received(settled_at, expected):
    invoice = PaymentFactory(option__invoice__settled_at=settled_at).invoice
    PayoutFactory(invoice=invoice, created_at=NOW)
    assert returned(invoice) == expected


@pytest.mark.parametrize(("stays", "expected"), [(DUE * 3 // 2, 0), (DUE * 5 // 4, 5_000), (DUE, 5_000), (DUE // 2, 5_000)])
def test_a_refunded_excess_counts_as_returned_once_the_remaining_payments_do_not_cover_it(stays, expected):
    payment = PaymentFactory(amount_base=stays)
    PayoutFactory(invoice=payment.invoice, kind="excess", amount_base=DUE // 2, status="sent")
    assert returned(payment.invoice) == 0
    PaymentFactory(option=payment.option, is_present=False)
    assert returned(payment.invoice) == expected


@pytest.mark.parametrize(
    ("status", "expected"), [("draft", 0), ("approved", 0), ("sending", 10_000), ("unknown", 10_000), ("sent", 10_000), ("failed", 0)]
)
def test_an_excess_needs_cover_once_it_is_being_sent(status, expected):
    payment = PaymentFactory(is_present=False)
    PayoutFactory(invoice=payment.invoice, kind="excess", status=status)
    assert returned(payment.invoice) == expected


def test_a_price_that_an_uncovered_excess_leaves_short_is_not_paid():
    payment = PaymentFactory(amount_base=DUE * 5 // 4)
    PaymentFactory(option=payment.option, amount_base=DUE // 4, is_present=False)
    PayoutFactory(invoice=payment.invoice, kind="excess", amount_base=DUE // 2, status="sent")
    assert assess(payment.invoice, NOW + timedelta(hours=9)).verdict.flags >= {"underpaid"}


@pytest.mark.parametrize(("left", "expected"), [(15_000, 0), (12_500, 5_000)])
def test_an_excess_that_was_refunded_to_a_card_needs_cover_when_the_bank_takes_a_part_of_the_payment_back(left, expected):
    payment = PaymentFactory(network="CARD", amount_base=left, minor_per_coin=Decimal(100))
    PayoutFactory(invoice=payment.invoice, network="CARD", kind="excess", amount_base=5_000, status="sent")
    assert returned(payment.invoice) == expected


def test_a_refund_and_an_uncovered_excess_are_returned_together():
    payment = PaymentFactory()
    PaymentFactory(option=payment.option, is_present=False)
    PayoutFactory(invoice=payment.invoice, amount_base=DUE // 4)
    PayoutFactory(invoice=payment.invoice, kind="excess", amount_base=DUE // 2, status="sent")
    assert returned(payment.invoice) == 7_500


def test_the_terms_of_an_invoice_are_those_that_it_was_opened_with():
    terms = terms_of(InvoiceFactory(override="invalid", settled_at=NOW))
    assert (terms.price_minor, terms.tolerance_percent, terms.tolerance_cap_minor) == (10_000, Decimal("0.5"), 100)
    assert (terms.expires_at, terms.override, terms.has_settled) == (EXPIRY, "invalid", True)
    assert terms_of(InvoiceFactory()).has_settled is False
