from dataclasses import replace

import pytest

from payments.invoices.evaluation import Verdict
from payments.invoices.staff_review import exceptions, review


@pytest.mark.parametrize(
    ("status", "flags", "expected"),
    [
        ("expired", {"late"}, {"late"}),
        ("expired", {"underpaid", "late"}, {"underpaid", "late"}),
        ("settled", {"late"}, set()),
        ("settled", {"overpaid"}, {"overpaid"}),
        ("processing", {"overpaid"}, set()),
        ("processing", {"reorged"}, {"reorged"}),
        ("cancelled", {"late"}, {"late"}),
        ("invalid", {"manual", "late"}, {"late"}),
        ("new", {"double_spent"}, {"double_spent"}),
        ("settled", {"manual", "double_spent"}, {"double_spent"}),
        ("cancelled", {"double_spent"}, set()),
        ("cancelled", {"late", "overpaid"}, {"late", "overpaid"}),
        ("expired", {"underpaid", "reorged"}, {"underpaid", "reorged"}),
    ],
)
def test_each_status_and_its_flags_have_the_exceptions_that_staff_must_decide(status, flags, expected):
    assert exceptions(Verdict(status, frozenset(flags))) == expected


WAITING = Verdict("expired", frozenset({"late"}), paid_seen_minor=10_000)
LATE_ONLY = frozenset({"late"})


def test_a_new_exception_needs_a_decision_and_is_new_to_staff():
    seen = review(WAITING, before=Verdict("expired"), known=frozenset(), is_waiting=False)
    assert (seen.exceptions, seen.needs_decision, seen.is_new_to_staff) == (LATE_ONLY, True, True)


def test_an_exception_that_still_waits_is_not_new_to_staff():
    seen = review(WAITING, before=WAITING, known=LATE_ONLY, is_waiting=True)
    assert (seen.needs_decision, seen.is_new_to_staff) == (True, False)


def test_a_dismissed_exception_stays_dismissed_while_nothing_changes():
    seen = review(WAITING, before=WAITING, known=LATE_ONLY, is_waiting=False)
    assert (seen.needs_decision, seen.is_new_to_staff) == (False, False)


@pytest.mark.parametrize(
    "before",
    [replace(WAITING, paid_seen_minor=9_999), replace(WAITING, status="new")],
)
def test_a_dismissed_exception_comes_back_when_the_money_or_the_status_changes(before):
    seen = review(WAITING, before=before, known=LATE_ONLY, is_waiting=False)
    assert (seen.needs_decision, seen.is_new_to_staff) == (True, True)


def test_a_second_exception_is_new_to_staff_although_the_first_still_waits():
    both = replace(WAITING, flags=frozenset({"late", "underpaid"}))
    seen = review(both, before=WAITING, known=LATE_ONLY, is_waiting=True)
    assert (seen.needs_decision, seen.is_new_to_staff) == (True, True)


@pytest.mark.parametrize("is_waiting", [False, True])
def test_an_exception_that_has_gone_is_no_news_about_the_others(is_waiting):
    both = replace(WAITING, flags=frozenset({"late", "overpaid"}))
    seen = review(WAITING, before=both, known=both.flags, is_waiting=is_waiting)
    assert (seen.exceptions, seen.needs_decision, seen.is_new_to_staff) == (LATE_ONLY, is_waiting, False)


def test_an_exception_that_the_decision_itself_resolves_needs_no_decision():
    override = Verdict("settled", frozenset({"manual", "double_spent"}))
    seen = review(
        override,
        before=Verdict("new", frozenset({"double_spent"})),
        known=frozenset({"double_spent"}),
        is_waiting=True,
        resolved=frozenset({"double_spent"}),
    )
    assert (seen.exceptions, seen.needs_decision) == ({"double_spent"}, False)
