"""What must hold for every invoice and every set of payments."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from payments.invoices.evaluation import Received, Terms, Verdict, evaluate, exceptions, review

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
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
    value_minor=st.fractions(0, 10**12),
    dust_minor=st.fractions(0, 100),
    first_seen_at=moments,
    due_by=moments,
    is_accepted=st.booleans(),
    status=st.sampled_from(["seen", "settled", "gone"]),
    is_conflicted=st.booleans(),
)


@given(terms, st.lists(payments, max_size=6), moments, st.randoms())
@settings(max_examples=500)
def test_the_order_of_payments_changes_nothing(invoice, received, at, random):
    shuffled = random.sample(received, len(received))
    assert evaluate(invoice, shuffled, at) == evaluate(invoice, received, at)


@given(terms, st.lists(payments, max_size=6), moments)
@settings(max_examples=500)
def test_no_invoice_settles_without_enough_confirmed_money_or_a_decision_of_staff(invoice, received, at):
    verdict = evaluate(invoice, received, at)
    if verdict.status == "settled" and not invoice.override:
        safe = sum((payment.value_minor for payment in received if payment.status == "settled"), Fraction(0))
        assert safe >= invoice.enough_minor


@given(terms, st.lists(payments, max_size=6), moments, moments)
@settings(max_examples=500)
def test_the_passage_of_time_can_only_expire_a_new_invoice(invoice, received, at, later):
    before, after = evaluate(invoice, received, min(at, later)), evaluate(invoice, received, max(at, later))
    assert before.status == after.status or (before.status, after.status) == ("new", "expired")


@given(terms, st.lists(payments, max_size=6), moments)
@settings(max_examples=500)
def test_seen_money_is_never_less_than_confirmed_money(invoice, received, at):
    verdict = evaluate(invoice, received, at)
    assert verdict.paid_seen_minor >= verdict.paid_safe_minor >= 0


@given(terms, st.lists(payments, max_size=6), payments, moments)
@settings(max_examples=500)
def test_another_payment_never_unsettles_an_invoice(invoice, received, extra, at):
    if evaluate(invoice, received, at).status == "settled":
        assert evaluate(invoice, [*received, extra], at).status == "settled"


@given(terms, st.lists(payments, max_size=6), moments)
@settings(max_examples=500)
def test_a_decision_of_staff_always_sets_the_status(invoice, received, at):
    if invoice.override:
        assert evaluate(invoice, received, at).status == invoice.override


@given(st.integers(1, 10**9), st.decimals("1", "100000000", places=2))
def test_the_requested_amount_is_worth_the_price_and_one_unit_less_is_not(price, rate):
    from cryptons.money import base_to_fiat, fiat_to_base

    due = fiat_to_base(price, minor_per_coin=rate, network="BTC")
    assert base_to_fiat(due, minor_per_coin=rate, network="BTC") >= price
    assert base_to_fiat(due - 1, minor_per_coin=rate, network="BTC") < price


flags = st.frozensets(st.sampled_from(["manual", "overpaid", "underpaid", "late", "reorged", "double_spent"]))
statuses = st.sampled_from(["new", "processing", "settled", "expired", "cancelled", "invalid"])
verdicts = st.builds(Verdict, status=statuses, flags=flags, paid_seen_minor=st.integers(0, 3))


@given(verdicts, verdicts, st.booleans())
@settings(max_examples=500)
def test_only_an_invoice_with_exceptions_needs_a_decision(verdict, before, is_waiting):
    seen = review(verdict, before=before, known=exceptions(before), is_waiting=is_waiting)
    assert seen.exceptions == exceptions(verdict)
    assert bool(seen.exceptions) >= seen.needs_decision >= seen.is_new_to_staff


@given(verdicts, verdicts, st.booleans())
@settings(max_examples=500)
def test_an_invoice_with_exceptions_is_never_taken_out_of_the_queue_by_a_verdict(verdict, before, is_waiting):
    if is_waiting and exceptions(verdict):
        assert review(verdict, before=before, known=exceptions(before), is_waiting=True).needs_decision


@given(verdicts, verdicts)
@settings(max_examples=500)
def test_a_new_exception_is_always_new_to_staff(verdict, before):
    if exceptions(verdict) - exceptions(before):
        assert review(verdict, before=before, known=exceptions(before), is_waiting=False).is_new_to_staff


@given(verdicts, verdicts, st.booleans())
@settings(max_examples=500)
def test_the_same_verdict_again_is_not_new_to_staff(verdict, before, is_waiting):
    first = review(verdict, before=before, known=exceptions(before), is_waiting=is_waiting)
    again = review(verdict, before=verdict, known=first.exceptions, is_waiting=first.needs_decision)
    assert (again.needs_decision, again.is_new_to_staff) == (first.needs_decision, False)


@given(verdicts, verdicts, st.booleans())
@settings(max_examples=500)
def test_a_decision_about_all_exceptions_leaves_none_to_decide(verdict, before, is_waiting):
    seen = review(verdict, before=before, known=exceptions(before), is_waiting=is_waiting, resolved=exceptions(verdict))
    assert not seen.needs_decision
