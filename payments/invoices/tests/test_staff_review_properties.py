"""What must hold for the review of every verdict."""

from hypothesis import given, settings
from hypothesis import strategies as st

from payments.invoices.evaluation import Verdict
from payments.invoices.staff_review import exceptions, review
from tests.sequences import EXAMPLES

flags = st.frozensets(st.sampled_from(["manual", "overpaid", "underpaid", "late", "reorged", "double_spent"]))
statuses = st.sampled_from(["new", "processing", "settled", "expired", "cancelled", "invalid"])
verdicts = st.builds(Verdict, status=statuses, flags=flags, paid_seen_minor=st.integers(0, 3))


@given(verdicts, verdicts, st.booleans())
@settings(max_examples=EXAMPLES)
def test_only_an_invoice_with_exceptions_needs_a_decision(verdict, before, is_waiting):
    seen = review(verdict, before=before, known=exceptions(before), is_waiting=is_waiting)
    assert seen.exceptions == exceptions(verdict)
    assert bool(seen.exceptions) >= seen.needs_decision >= seen.is_new_to_staff


@given(verdicts, verdicts, st.booleans())
@settings(max_examples=EXAMPLES)
def test_an_invoice_with_exceptions_is_never_taken_out_of_the_queue_by_a_verdict(verdict, before, is_waiting):
    if is_waiting and exceptions(verdict):
        assert review(verdict, before=before, known=exceptions(before), is_waiting=True).needs_decision


@given(verdicts, verdicts)
@settings(max_examples=EXAMPLES)
def test_a_new_exception_is_always_new_to_staff(verdict, before):
    if exceptions(verdict) - exceptions(before):
        assert review(verdict, before=before, known=exceptions(before), is_waiting=False).is_new_to_staff


@given(verdicts, verdicts, st.booleans())
@settings(max_examples=EXAMPLES)
def test_the_same_verdict_again_is_not_new_to_staff(verdict, before, is_waiting):
    first = review(verdict, before=before, known=exceptions(before), is_waiting=is_waiting)
    again = review(verdict, before=verdict, known=first.exceptions, is_waiting=first.needs_decision)
    assert (again.needs_decision, again.is_new_to_staff) == (first.needs_decision, False)


@given(verdicts, verdicts, st.booleans())
@settings(max_examples=EXAMPLES)
def test_a_decision_about_all_exceptions_leaves_none_to_decide(verdict, before, is_waiting):
    seen = review(verdict, before=before, known=exceptions(before), is_waiting=is_waiting, resolved=exceptions(verdict))
    assert not seen.needs_decision
