"""How deep is deep enough: settled, final, refundable; on both sides of each border."""

from decimal import Decimal

import pytest

from cryptons.money import Minor
from payments.confirmations import (
    becomes_final_at,
    confirmations_for,
    confirmations_shown,
    deepest_final_depth,
    depth,
    final_depth,
    missing_confirmations,
    payment_status,
    settles_at_height,
    settles_or_unsettles_at,
)
from payments.models import Invoice, Payment
from payments.tests.factories import TIP, CursorFactory, InvoiceFactory, PaymentFactory


@pytest.mark.parametrize(("price", "needed"), [(4_999, 1), (5_000, 2), (99_999, 2), (100_000, 6), (10**12, 6)])
def test_more_expensive_invoices_need_more_confirmations(price, needed):
    assert confirmations_for(Minor(price), "USD") == needed


@pytest.mark.parametrize(("height", "tip", "expected"), [(100, 100, 1), (99, 100, 2), (101, 100, 0), (None, 100, 0), (99, None, 0)])
def test_a_payment_in_the_newest_block_has_one_confirmation(height, tip, expected):
    assert depth(height, tip) == expected


@pytest.mark.parametrize(
    ("height", "tip", "expected"),
    [(None, 100, "seen"), (100, 100, "seen"), (99, 100, "settled"), (101, 100, "seen"), (99, None, "seen")],
)
def test_a_payment_is_settled_once_it_has_the_needed_confirmations(height, tip, expected):
    payment = Payment(is_present=True, height=height)
    assert payment_status(payment, tip_height=tip, confirmations_needed=2) == expected


def test_a_payment_that_is_not_present_is_gone_even_when_it_was_final():
    payment = Payment(is_present=False, is_safe=True, is_final=True, height=1)
    assert payment_status(payment, tip_height=99, confirmations_needed=1) == "gone"


def test_a_payment_that_its_network_calls_final_is_settled_without_confirmations():
    assert payment_status(Payment(is_safe=True), tip_height=None, confirmations_needed=6) == "settled"


def test_a_final_payment_stays_settled_although_the_tip_is_unknown():
    assert payment_status(Payment(is_final=True, height=5), tip_height=None, confirmations_needed=6) == "settled"


@pytest.mark.parametrize(
    ("payment", "tip", "shown"),
    [
        (Payment(), 100, 0),
        (Payment(height=100), 100, 1),
        (Payment(height=98), 100, 3),
        (Payment(height=98), None, 0),
        (Payment(is_safe=True), None, 2),
        (Payment(is_safe=True, height=90), 99, 10),
    ],
)
def test_buyers_see_the_depth_or_the_needed_confirmations_when_the_network_calls_it_final(payment, tip, shown):
    assert confirmations_shown(payment, tip_height=tip, confirmations_needed=2) == shown


@pytest.mark.parametrize(("needed", "expected"), [(1, 6), (4, 6), (5, 7), (6, 8), (100, 102)])
def test_a_payment_is_final_at_six_confirmations_or_two_more_than_needed(needed, expected):
    assert final_depth(needed) == expected


def test_nodes_are_asked_as_far_back_as_the_deepest_confirmation_tier_needs(settings):
    settings.CONFIRMATION_TIERS = [(Decimal(50), 10), (Decimal("Infinity"), 3)]
    assert deepest_final_depth() == 12


def payment_this_deep(confirmations, needed, **more):
    height = TIP - confirmations + 1
    invoice = InvoiceFactory(confirmations_needed=needed)
    return PaymentFactory(
        option__invoice=invoice, height=height, settles_at_height=settles_at_height(height, needed), status="settled", **more
    )


@pytest.mark.django_db
@pytest.mark.parametrize("needed", [1, 2, 4, 5, 6, 10])
def test_a_payment_becomes_final_exactly_at_its_final_depth(needed):
    payment = payment_this_deep(final_depth(needed), needed)

    assert not Payment.objects.filter(becomes_final_at(TIP - 1)).exists()
    assert Payment.objects.filter(becomes_final_at(TIP)).get() == payment


@pytest.mark.django_db
@pytest.mark.parametrize("facts", [{"is_present": False}, {"is_final": True}])
def test_only_a_present_payment_becomes_final_and_only_once(facts):
    payment_this_deep(50, 2, **facts)
    assert not Payment.objects.filter(becomes_final_at(TIP)).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "tip", "moves"), [("seen", TIP - 1, False), ("seen", TIP, True), ("settled", TIP - 1, True), ("settled", TIP, False)]
)
def test_a_new_tip_alone_can_settle_or_unsettle_a_payment(status, tip, moves):
    payment_this_deep(2, 2)
    Payment.objects.update(status=status)
    assert Payment.objects.filter(settles_or_unsettles_at(tip)).exists() is moves
    payment = Payment.objects.get()
    assert (payment_status(payment, tip_height=tip, confirmations_needed=2) != status) is moves


@pytest.mark.django_db
@pytest.mark.parametrize(("facts", "tip"), [({"is_final": True}, TIP - 1), ({"is_present": False}, TIP - 1), ({"is_present": False}, TIP)])
def test_no_tip_moves_a_payment_that_is_final_or_gone(facts, tip):
    payment_this_deep(2, 2, **facts)
    Payment.objects.update(status="settled" if tip < TIP else "seen")
    assert not Payment.objects.filter(settles_or_unsettles_at(tip)).exists()


@pytest.mark.parametrize(("height", "needed", "expected"), [(100, 1, 100), (100, 6, 105), (None, 6, None)])
def test_a_payment_settles_at_the_height_that_gives_the_needed_confirmations(height, needed, expected):
    assert settles_at_height(height, needed) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(("confirmations", "missing"), [(1, 5), (5, 1), (6, 0), (7, 0)])
def test_money_can_be_refunded_once_it_has_the_confirmations_that_its_value_needs(confirmations, missing):
    CursorFactory()
    payment = payment_this_deep(confirmations, 1)
    Invoice.objects.update(paid_safe_minor=100_000)
    assert missing_confirmations(Invoice.objects.get(pk=payment.invoice_id)) == missing


@pytest.mark.django_db
def test_the_shallowest_payment_says_how_many_confirmations_a_refund_still_needs():
    CursorFactory()
    deep = payment_this_deep(4, 1)
    PaymentFactory(option=deep.option, height=TIP - 1, status="settled")
    Invoice.objects.update(paid_safe_minor=100_000)
    assert missing_confirmations(Invoice.objects.get()) == 4


@pytest.mark.django_db
@pytest.mark.parametrize("facts", [{"status": "seen"}, {"status": "gone"}, {"is_final": True}, {"height": None}])
def test_a_refund_waits_for_no_payment_that_is_not_settled_or_is_final(facts):
    CursorFactory()
    payment = payment_this_deep(6, 1)
    PaymentFactory(option=payment.option, **{"height": TIP, "status": "settled", **facts})
    Invoice.objects.update(paid_safe_minor=100_000)
    assert missing_confirmations(Invoice.objects.get()) == 0


@pytest.mark.django_db
def test_a_refund_does_not_wait_for_the_payments_of_another_invoice():
    CursorFactory()
    deep, shallow = payment_this_deep(6, 1), payment_this_deep(1, 1)
    Invoice.objects.update(paid_safe_minor=100_000)
    assert missing_confirmations(Invoice.objects.get(pk=deep.invoice_id)) == 0
    assert missing_confirmations(Invoice.objects.get(pk=shallow.invoice_id)) == 5


@pytest.mark.django_db
@pytest.mark.parametrize("cursor", [{}, {"network": "LTC"}])
def test_a_settled_payment_has_one_confirmation_for_a_refund_while_the_tip_of_its_network_is_unknown(cursor):
    if cursor:
        CursorFactory(**cursor)
    payment_this_deep(6, 1)
    Invoice.objects.update(paid_safe_minor=100_000)
    assert missing_confirmations(Invoice.objects.get()) == 5


@pytest.mark.django_db
def test_a_refund_of_an_invoice_without_payments_waits_for_nothing():
    assert missing_confirmations(InvoiceFactory(paid_safe_minor=100_000)) == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("currency", "missing"), [("USD", 0), ("JPY", 5)])
def test_the_value_of_money_to_refund_is_measured_in_the_currency_of_its_invoice(currency, missing):
    """A thousand yen have no decimals: 1,000 and not 10.00."""
    CursorFactory()
    payment_this_deep(1, 1)
    Invoice.objects.update(paid_safe_minor=1_000, currency=currency)
    assert missing_confirmations(Invoice.objects.get()) == missing
