"""What a node's records and the shop's ledger must agree on, without either."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptons.db import new_id
from payments.accounting.comparison import Difference, Kind, Owner, StoredInvoice, StoredPayment, check_invoice, compare
from payments.accounting.periods import Period
from payments.invoices.evaluation import Received, Terms
from payments.networks.base import NodeRecord
from payments.tests.factories import DUE, EXPIRY, NOW

INVOICE = UUID("00000000-0000-7000-8000-000000000001")
OWNER = Owner(INVOICE, "order_7K3M9-2QFXA")
OURS = {"bcrt1qours": OWNER}
DAY = Period(NOW - timedelta(hours=12), NOW + timedelta(hours=12))
REFERENCE = f"{'ab' * 32}:0"

ENTRY = NodeRecord(REFERENCE, "bcrt1qours", DUE, NOW, is_confirmed=True, height=100)
PAYMENT = StoredPayment(REFERENCE, "bcrt1qours", DUE, NOW, "settled", 100, OWNER)


def differences(entries, payments, *, ours=OURS, period=DAY):
    return [(each.kind, each.subject, each.invoice_id) for each in compare("BTC", entries, payments, ours, period)]


def text(entries, payments):
    (difference,) = compare("BTC", entries, payments, OURS, DAY)
    return difference.text


def test_matching_records_have_no_difference():
    assert differences([ENTRY], [PAYMENT]) == []
    assert differences([], []) == []


def test_money_missing_in_the_shop_is_reported_with_its_invoice():
    assert differences([ENTRY], []) == [(Kind.MISSING_IN_SHOP, REFERENCE, INVOICE)]
    assert text([ENTRY], []) == (
        "0.00200000 BTC was received at bcrt1qours at 2026-11-01 12:00:00 UTC for order_7K3M9-2QFXA, and the shop has no such payment. "
        "Open the invoice and press “Ask the node now”; if that does not store it, look into the worker's log."
    )


def test_money_for_no_invoice_is_a_note_and_not_a_difference():
    (note,) = compare("BTC", [replace(ENTRY, destination="bcrt1qmine")], [], OURS, DAY)
    assert (note.kind, note.is_note, note.invoice_id) == (Kind.UNCLAIMED, True, None)
    assert "0.00200000 BTC was received at bcrt1qmine" in note.text
    assert not any(each.is_note for each in compare("BTC", [ENTRY], [], OURS, DAY))


@pytest.mark.parametrize("status", ["seen", "settled"])
def test_a_payment_that_the_node_does_not_know_is_reported(status):
    assert differences([], [replace(PAYMENT, status=status)]) == [(Kind.MISSING_AT_NODE, REFERENCE, INVOICE)]
    assert "order_7K3M9-2QFXA" in text([], [PAYMENT])


def test_a_payment_with_status_gone_may_be_missing_at_the_node():
    assert differences([], [replace(PAYMENT, status="gone")]) == []


def test_an_amount_that_differs_by_one_unit_is_reported_with_both_values():
    assert differences([ENTRY], [replace(PAYMENT, amount_base=DUE + 1)]) == [(Kind.AMOUNT, REFERENCE, INVOICE)]
    assert text([ENTRY], [replace(PAYMENT, amount_base=DUE + 1)]) == (
        "order_7K3M9-2QFXA: The node received 0.00200000 BTC, the shop has 0.00200001 BTC."
    )


def test_a_payment_booked_to_another_destination_is_reported():
    assert differences([ENTRY], [replace(PAYMENT, destination="bcrt1qother")]) == [(Kind.DESTINATION, REFERENCE, INVOICE)]


@pytest.mark.parametrize(
    ("entry", "payment", "said"),
    [
        ({}, {"status": "gone", "height": None}, "For the node it is in block 100, for the shop gone."),
        ({}, {"status": "seen", "height": None}, "For the node it is in block 100, for the shop waiting for a block."),
        ({"height": 101}, {}, "For the node it is in block 101, for the shop in block 100."),
        ({"height": None, "is_confirmed": False}, {}, "For the node it is waiting for a block, for the shop in block 100."),
        (
            {"height": None, "is_confirmed": False},
            {"height": None, "status": "settled"},
            "For the node it is waiting for a block, for the shop settled.",
        ),
        ({"height": None, "is_confirmed": False}, {"status": "gone"}, "For the node it is waiting for a block, for the shop gone."),
        ({"height": None}, {"height": None, "status": "seen"}, "For the node it is settled, for the shop waiting for a block."),
    ],
)
def test_a_different_confirmation_status_is_reported_in_words(entry, payment, said):
    entries, payments = [replace(ENTRY, **entry)], [replace(PAYMENT, **payment)]
    assert differences(entries, payments) == [(Kind.STANDING, REFERENCE, INVOICE)]
    assert text(entries, payments) == f"order_7K3M9-2QFXA: {said}"


@pytest.mark.parametrize(
    ("entry", "payment"),
    [
        ({}, {"status": "seen"}),
        ({"height": None, "is_confirmed": False}, {"height": None, "status": "seen"}),
        ({"height": None}, {"height": None}),
    ],
)
def test_a_payment_that_waits_for_more_confirmations_is_not_a_difference(entry, payment):
    assert differences([replace(ENTRY, **entry)], [replace(PAYMENT, **payment)]) == []


def test_a_payment_is_compared_when_the_shop_or_the_node_dates_it_within_the_period():
    before, after = DAY.since - timedelta(seconds=1), DAY.until
    other = replace(PAYMENT, amount_base=1)
    assert len(differences([replace(ENTRY, received_at=before)], [other])) == 1
    assert len(differences([ENTRY], [replace(other, first_seen_at=after)])) == 1
    assert differences([replace(ENTRY, received_at=before)], [replace(other, first_seen_at=after)]) == []


def test_a_payment_on_one_side_only_is_not_reported_when_it_lies_outside_the_period():
    assert differences([replace(ENTRY, received_at=DAY.until)], []) == []
    assert differences([], [replace(PAYMENT, first_seen_at=DAY.until)]) == []
    assert len(differences([replace(ENTRY, received_at=DAY.since)], [])) == 1


def test_each_difference_has_a_unique_and_stable_key():
    entries = [ENTRY, replace(ENTRY, reference="y:1", destination="bcrt1qmine")]
    keys = [each.key for each in compare("BTC", entries, [replace(PAYMENT, amount_base=1, height=2)], OURS, DAY)]
    assert len(set(keys)) == 3
    assert keys == [each.key for each in compare("BTC", entries, [replace(PAYMENT, amount_base=3, height=4)], OURS, DAY)]
    assert len(Difference(Kind.AMOUNT, "BTC-LN", "x" * 500, "").key) == 160


moments = st.integers(-11, 11).map(lambda hours: NOW + timedelta(hours=hours))
entries_of = st.lists(
    st.builds(
        NodeRecord,
        reference=st.text("abc", min_size=1, max_size=4),
        destination=st.sampled_from(["bcrt1qours", "bcrt1qmine"]),
        amount_base=st.integers(1, 10**9),
        received_at=moments,
        is_confirmed=st.just(True),
        height=st.integers(1, 1000),
    ),
    max_size=8,
    unique_by=lambda entry: entry.reference,
)


def mirrored(entry):
    return StoredPayment(entry.reference, entry.destination, entry.amount_base, entry.received_at, "settled", entry.height, OWNER)


@given(entries_of, st.data())
def test_every_payment_that_one_side_lacks_is_reported_and_nothing_else(entries, data):
    payments = [mirrored(entry) for entry in entries]
    assert differences(entries, payments) == []

    lost = data.draw(st.sets(st.sampled_from(entries))) if entries else set()
    told = differences(entries, [payment for payment in payments if payment.reference not in {entry.reference for entry in lost}])
    assert sorted(subject for _, subject, _ in told) == sorted(entry.reference for entry in lost)

    told = differences([entry for entry in entries if entry not in lost], payments)
    assert sorted(told) == sorted((Kind.MISSING_AT_NODE, entry.reference, INVOICE) for entry in lost)


# --- The shop's own figures ----------------------------------------------------------------------------------------------


def received(value, status="settled", **more):
    return Received(value_minor=Fraction(value), dust_minor=Fraction(1), first_seen_at=NOW, due_by=EXPIRY, status=status, **more)


def problems(payments, *, status="settled", seen=10_000, safe=10_000, **terms):
    figures = StoredInvoice(new_id(), "order_7K3M9-2QFXA", "USD", status, seen, safe)
    asked = Terms(price_minor=10_000, tolerance_percent=Decimal("0.5"), tolerance_cap_minor=100, expires_at=EXPIRY, **terms)
    return {each.kind: each.text for each in check_invoice(figures, asked, payments)}


def test_an_invoice_whose_sums_match_its_payments_has_no_difference():
    assert problems([received(10_000)]) == {}
    assert problems([received(4_000), received(6_000), received(500, "gone")]) == {}
    assert problems([received(10_000, "seen")], status="processing", safe=0) == {}
    assert problems([], status="new", seen=0, safe=0) == {}


def test_the_sums_of_an_invoice_are_rounded_down_only_once():
    thirds = [received(Fraction(10_000, 3)) for _ in range(3)]
    assert problems(thirds) == {}
    assert problems([received(Fraction(19_999, 2))], seen=9_999, safe=9_999) == {}


def test_sums_that_differ_are_reported_with_both_values():
    assert problems([received(10_000), received(5, "seen")], seen=10_000, safe=9_999) == {
        Kind.SUM: "order_7K3M9-2QFXA: its payments make $100.05 seen, stored is $100.00; "
        "its payments make $100.00 confirmed, stored is $99.99."
    }


def test_a_settled_invoice_without_enough_confirmed_money_is_reported_unless_staff_settled_it():
    short = [received(9_900)]
    assert set(problems(short, seen=9_900, safe=9_900)) == {Kind.UNBACKED}
    assert problems(short, seen=9_900, safe=9_900, override="settled") == {}
    assert problems([received(9_950)], seen=9_950, safe=9_950) == {}
    assert set(problems([received(10_000, "seen")], safe=0)) == {Kind.UNBACKED}


def test_late_money_that_was_not_accepted_does_not_count_towards_settlement():
    late = replace(received(10_000), first_seen_at=EXPIRY + timedelta(hours=2))
    assert set(problems([late])) == {Kind.UNBACKED}
    assert problems([replace(late, is_accepted=True)]) == {}
    assert problems([late], status="expired") == {}


def test_refunded_money_does_not_count_towards_settlement():
    assert problems([received(10_000)], status="expired", returned_minor=Fraction(51)) == {}
    assert set(problems([received(10_000)], status="expired", returned_minor=Fraction(50))) == {Kind.UNSETTLED}
    assert set(problems([received(10_000)], returned_minor=Fraction(51))) == {Kind.UNBACKED}


@pytest.mark.parametrize("status", ["new", "processing", "expired"])
def test_an_unsettled_invoice_with_enough_confirmed_money_is_reported(status):
    assert set(problems([received(10_000)], status=status)) == {Kind.UNSETTLED}
    assert problems([received(10_000)], status="cancelled", override="cancelled") == {}
