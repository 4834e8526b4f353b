"""Two people are two accounts, also under the same name, and none of them is the buyer."""

from decimal import Decimal

import pytest

from accounts.tests.factories import StaffFactory
from payments import subject
from payments.errors import PayoutRefused
from payments.payouts.tests.payout_steps import draft, paid
from payments.payouts.workflow import approve_payout, set_destination
from payments.subject import NoSubject
from payments.tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _two_people(payout_limits, settings, monkeypatch):
    monkeypatch.setattr("payments.tasks.enqueue", lambda *_, **__: None)
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")


@pytest.fixture
def grace():
    return StaffFactory(username="grace")


def renamed(account, name):
    account.username = name
    account.save()
    return name


def asked_by_the_buyer():
    return draft(paid(), destination="bcrt1qback", actor="buyer")


def test_one_account_under_two_names_is_one_person(grace):
    payout = asked_by_the_buyer()
    approve_payout(payout.pk, actor="grace", at=NOW)
    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor=renamed(grace, "hopper"), at=NOW)


def test_the_author_of_a_draft_is_known_under_a_new_name(grace):
    payout = draft(paid(), destination="bcrt1qback", actor="grace")
    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor=renamed(grace, "hopper"), at=NOW)


def test_who_set_the_destination_is_known_under_a_new_name(grace):
    payout = asked_by_the_buyer()
    set_destination(payout.pk, "bcrt1qgrace", actor="grace", at=NOW)
    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor=renamed(grace, "hopper"), at=NOW)


def test_two_accounts_are_two_people(grace):
    StaffFactory(username="ada")
    payout = asked_by_the_buyer()
    approve_payout(payout.pk, actor="grace", at=NOW)
    payout = approve_payout(payout.pk, actor="ada", at=NOW)
    assert (payout.status, payout.approved_by, payout.approver_id, payout.confirmed_by) == ("approved", "grace", grace.pk, "ada")


@pytest.fixture
def bought_by_grace(grace, monkeypatch):
    class Shop(NoSubject):
        def buyer_id(self, invoice):
            return grace.pk

    monkeypatch.setattr(subject, "_registered", [Shop()])


def test_the_buyer_does_not_approve_a_large_refund_of_their_own_order(bought_by_grace):
    with pytest.raises(PayoutRefused, match="placed this order yourself"):
        approve_payout(asked_by_the_buyer().pk, actor="grace", at=NOW)


def test_a_draft_by_the_buyers_own_account_is_no_approval(bought_by_grace):
    payout = draft(paid(), destination="bcrt1qback", actor="grace")
    assert approve_payout(payout.pk, actor="ada", at=NOW).status == "draft"
    assert approve_payout(payout.pk, actor="lin", at=NOW).status == "approved"


def test_the_buyer_may_approve_a_small_refund(bought_by_grace, settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000)
    assert approve_payout(asked_by_the_buyer().pk, actor="grace", at=NOW).status == "approved"
