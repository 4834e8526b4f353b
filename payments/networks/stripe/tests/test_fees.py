"""What Stripe takes of a payment stands in the ledger."""

import pytest

from payments.accounting.ledger import add_up, ledger
from payments.models import Payment, Payout
from payments.networks.stripe.tests.test_card_payments import DUE, follow, paid

pytestmark = pytest.mark.django_db


def rows():
    return list(ledger(Payment.objects.all(), Payout.objects.all()))


def test_the_fee_of_a_payment_stands_in_its_row_and_in_the_total(stripe, option):
    paid(stripe, option)
    (row,) = rows()
    assert (row.amount_base, row.fee_base) == (DUE, -320)
    (total,) = add_up([row])
    assert (total.safe_base, total.fees_base) == (DUE, -320)


def test_a_fee_in_the_currency_of_the_account_is_converted_as_the_charge_was(stripe, option):
    stripe.rate_percent = 50
    paid(stripe, option)
    assert Payment.objects.get().fee_base == 350  # 1.75 of the account's currency


def test_a_key_that_may_not_read_fees_takes_payments_and_leaves_the_fee_empty(stripe, option):
    stripe.hides_fees = True
    paid(stripe, option)
    (row,) = rows()
    assert (row.status, row.fee_base, row.cells()[7]) == ("settled", None, None)


def test_a_fee_that_stripe_books_later_is_added(stripe, option):
    stripe.hides_fees = True
    intent = paid(stripe, option)
    stripe.hides_fees = False
    stripe.tell("charge.updated", stripe.intents[intent]["latest_charge"])
    follow()
    assert Payment.objects.get().fee_base == 320


def test_a_dispute_costs_its_fee_and_that_of_the_payment_is_not_given_back(stripe, option):
    stripe.dispute(paid(stripe, option), DUE)
    follow()
    (row,) = rows()
    assert (row.status, row.fee_base) == ("gone", -1_820)
    assert (row.cells()[5], row.cells()[7]) == (0, -1_820)
    assert add_up([row])[0].fees_base == -1_820
