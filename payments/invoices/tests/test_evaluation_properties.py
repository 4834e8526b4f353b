"""What must hold for every invoice and every set of payments."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from payments.invoices.evaluation import Received, Terms, evaluate
from tests.sequences import EXAMPLES

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def fractions_to(most):
    """Any fraction from 0 to this. Hypothesis's own make a strategy for each denominator, and took more than half of the time."""

    def fraction(whole, numerator, denominator):
        return min(Fraction(most), whole + Fraction(numerator % denominator, denominator))

    return st.builds(fraction, st.integers(0, most), st.integers(0), st.integers(1))


moments = st.integers(-3600, 7200).map(lambda seconds: NOW + timedelta(seconds=seconds))
terms = st.builds(
    Terms,
    price_minor=st.integers(1, 10**12),
    tolerance_percent=st.decimals("0", "10", places=2),
    tolerance_cap_minor=st.integers(0, 10**4),
    expires_at=moments,
    override=st.sampled_from(["", "", "", "settled", "invalid", "cancelled"]),
    has_settled=st.booleans(),
)
payments = st.builds(
    Received,
    value_minor=fractions_to(10**12),
    dust_minor=fractions_to(100),
    first_seen_at=moments,
    due_by=moments,
    is_accepted=st.booleans(),
    status=st.sampled_from(["seen", "settled", "gone"]),
    is_conflicted=st.booleans(),
    is_mined=st.booleans(),
    is_slow=st.booleans(),
)


@given(terms, st.lists(payments, max_size=6), moments, st.randoms())
@settings(max_examples=EXAMPLES)
def test_the_order_of_payments_changes_nothing(invoice, received, at, random):
    shuffled = random.sample(received, len(received))
    assert evaluate(invoice, shuffled, at) == evaluate(invoice, received, at)


@given(terms, st.lists(payments, max_size=6), moments)
@settings(max_examples=EXAMPLES)
def test_no_invoice_settles_without_enough_confirmed_money_or_a_decision_of_staff(invoice, received, at):
    verdict = evaluate(invoice, received, at)
    if verdict.status == "settled" and not invoice.override:
        settled = [payment for payment in received if payment.status == "settled"]
        assert sum((payment.value_minor for payment in settled), Fraction(0)) >= invoice.enough_minor(settled)


@given(terms, st.lists(payments, max_size=6), moments, moments)
@settings(max_examples=EXAMPLES)
def test_the_passage_of_time_can_only_expire_a_new_invoice(invoice, received, at, later):
    before, after = evaluate(invoice, received, min(at, later)), evaluate(invoice, received, max(at, later))
    assert before.status == after.status or (before.status, after.status) == ("new", "expired")


@given(terms, st.lists(payments, max_size=6), moments)
@settings(max_examples=EXAMPLES)
def test_seen_money_is_never_less_than_confirmed_money(invoice, received, at):
    verdict = evaluate(invoice, received, at)
    assert verdict.paid_seen_minor >= verdict.paid_safe_minor >= 0


@given(terms, st.lists(payments, max_size=6), payments, moments)
@settings(max_examples=EXAMPLES)
def test_another_payment_never_unsettles_an_invoice(invoice, received, extra, at):
    if evaluate(invoice, received, at).status == "settled":
        assert evaluate(invoice, [*received, extra], at).status == "settled"


@given(terms, st.lists(payments, max_size=6))
@settings(max_examples=EXAMPLES)
def test_no_more_may_be_missing_than_the_tolerance_or_what_cannot_be_sent_within_the_cap(invoice, received):
    missing = invoice.price_minor - invoice.enough_minor(received)
    dust = max((payment.dust_minor for payment in received if payment.counts and payment.status != "gone"), default=Fraction(0))
    percent = Fraction(invoice.price_minor) * Fraction(invoice.tolerance_percent) / 100
    assert missing == min(invoice.tolerance_cap_minor, max(percent, dust))


@given(terms, st.lists(payments, max_size=6), moments)
@settings(max_examples=EXAMPLES)
def test_a_slow_payment_pays_nothing_until_it_is_in_a_block_and_accepted(invoice, received, at):
    invoice = replace(invoice, override="", has_settled=False)
    slow = [replace(payment, is_slow=True, is_accepted=False) for payment in received]
    verdict = evaluate(invoice, slow, at)
    assert verdict.status in ("new", "expired")
    assert ("slow" in verdict.flags) == any(payment.status != "gone" for payment in slow)


@given(terms, st.lists(payments, max_size=6), moments)
@settings(max_examples=EXAMPLES)
def test_slowness_is_flagged_only_when_it_matters(invoice, received, at):
    verdict = evaluate(invoice, received, at)
    quick = [payment for payment in received if not payment.is_slow]
    if "slow" in verdict.flags and verdict.status in ("processing", "settled"):
        assert evaluate(invoice, quick, at).status in ("new", "expired")


@given(terms, st.lists(payments, max_size=6), moments)
@settings(max_examples=EXAMPLES)
def test_a_decision_of_staff_always_sets_the_status(invoice, received, at):
    if invoice.override:
        assert evaluate(invoice, received, at).status == invoice.override


@given(st.integers(1, 10**9), st.decimals("1", "100000000", places=2))
def test_the_requested_amount_is_worth_the_price_and_one_unit_less_is_not(price, rate):
    from cryptons.money import base_to_fiat, fiat_to_base

    due = fiat_to_base(price, minor_per_coin=rate, network="BTC")
    assert base_to_fiat(due, minor_per_coin=rate, network="BTC") >= price
    assert base_to_fiat(due - 1, minor_per_coin=rate, network="BTC") < price
