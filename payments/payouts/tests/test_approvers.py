"""Who counts as one of the two people, when several payouts and other steps stand in the log."""

from decimal import Decimal

import pytest

from payments.errors import PayoutRefused
from payments.payouts.tests.payout_steps import draft, paid
from payments.payouts.workflow import approve_payout, required_approvals, resume_draft, set_destination
from payments.tests.factories import NOW, PayoutFactory
from payments.tests.subjects import RecordingJobs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _two_people(payout_limits, settings, monkeypatch):
    """Every payout of 100.00 needs two, and nothing is sent."""
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    monkeypatch.setattr("payments.jobs._registered", [RecordingJobs()])


def test_who_set_the_destination_of_another_payout_is_none_of_the_two():
    payout, other = draft(paid(), destination="bcrt1qback", actor="grace"), draft(paid(), actor="grace")
    for address in ("bcrt1qone", "bcrt1qtwo"):
        set_destination(other.pk, address, actor="ada", at=NOW)
    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="grace", at=NOW)


def test_the_author_still_counts_after_a_step_that_nobody_took():
    payout = draft(paid(), destination="bcrt1qback", actor="grace")
    resume_draft(payout, at=NOW)
    assert approve_payout(payout.pk, actor="ada", at=NOW).status == "approved"


def test_the_value_of_an_approved_payout_counts_once():
    assert required_approvals(PayoutFactory(status="approved", value_minor=9_999)) == 1


@pytest.mark.parametrize(("limit", "people"), [(9_999, 2), (10_000, 1)])
def test_the_limit_of_one_person_is_in_the_payouts_own_currency(settings, limit, people):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(limit)
    assert required_approvals(PayoutFactory(currency="JPY", value_minor=10_000)) == people
