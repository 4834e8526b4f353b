"""A payout gets another destination, is withdrawn, or is recorded as sent; and each step is in the log."""

from decimal import Decimal

import pytest

from cryptons.events.models import Event
from payments.errors import PayoutMoved, PayoutRefused
from payments.models import Invoice, Payout
from payments.payouts.tests.payout_steps import approved, covered_payout, draft, paid
from payments.payouts.workflow import approve_payout, move_payout, record_sent_by_hand, set_destination, withdraw_payout
from payments.tests.factories import DUE, NOW, PayoutFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]


def test_the_destination_cannot_be_changed_after_an_approval(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(0)
    payout = draft(paid(), destination="bcrt1qback", actor="buyer")
    set_destination(payout.pk, "bcrt1qother", actor="buyer", at=NOW)
    approve_payout(payout.pk, actor="grace", at=NOW)
    with pytest.raises(PayoutRefused):
        set_destination(payout.pk, "bcrt1qthief", actor="buyer", at=NOW)
    assert Payout.objects.get().destination == "bcrt1qother"


def test_a_buyer_may_choose_lightning_for_money_that_was_paid_on_chain():
    payout = draft(paid())
    changed = set_destination(payout.pk, "lnbc", network="BTC-LN", actor="buyer", at=NOW)
    assert (changed.network, changed.amount_base) == ("BTC-LN", DUE * 1000)


def test_a_payout_cannot_be_moved_to_another_coin():
    with pytest.raises(PayoutRefused):
        set_destination(draft(paid()).pk, "r…", network="XRP", actor="buyer", at=NOW)


@pytest.mark.parametrize("status", ["sending", "sent", "unknown", "failed"])
def test_a_payout_that_was_handed_to_a_node_cannot_be_withdrawn(status):
    with pytest.raises(PayoutRefused):
        withdraw_payout(PayoutFactory(status=status).pk, actor="grace", reason="a slip", at=NOW)


def test_a_payout_sent_by_hand_is_recorded_with_a_name_and_a_reason():
    payout = record_sent_by_hand(approved(paid()).pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)

    event = Event.objects.filter(subject_id=payout.pk).latest("seq")
    assert (payout.status, payout.reference, payout.next_try_at) == ("sent", "f" * 64, None)
    assert (event.type, event.actor, event.data["reason"]) == ("payout.sent", "ada", "from the safe")


def test_a_failed_payout_whose_money_is_in_another_draft_cannot_be_recorded_as_sent():
    invoice = paid()
    failed = PayoutFactory(invoice=invoice, status="failed")
    draft(invoice)
    with pytest.raises(PayoutRefused):
        record_sent_by_hand(failed.pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)


def test_each_step_of_a_payout_is_one_event():
    payout = approved(paid())
    withdraw_payout(payout.pk, actor="ada", reason="a slip", at=NOW)
    told = Event.objects.filter(subject_id=payout.pk).order_by("seq").values_list("seq", "type", "actor")
    assert list(told) == [(1, "payout.draft", "grace"), (2, "payout.approved", "grace"), (3, "payout.withdrawn", "ada")]


def test_recording_a_failed_payout_as_sent_raises_the_version_of_its_invoice():
    failed = PayoutFactory(invoice=paid(), status="failed")
    record_sent_by_hand(failed.pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)
    assert Invoice.objects.get().version == failed.invoice.version + 1


def test_a_lightning_payout_too_small_for_the_chain_cannot_be_moved_to_it():
    payout = draft(paid(), network="BTC-LN", amount_base=500_000)
    with pytest.raises(PayoutRefused, match="too small"):
        set_destination(payout.pk, "bcrt1qback", network="BTC", actor="buyer", at=NOW)


def test_a_payout_that_another_worker_changed_first_is_not_written():
    payout = covered_payout()
    stale = Payout.objects.get(pk=payout.pk)
    move_payout(payout, "sending", at=NOW)

    with pytest.raises(PayoutMoved):
        move_payout(stale, "failed", at=NOW, error="no route")

    payout.refresh_from_db()
    assert (payout.status, payout.version, payout.error) == ("sending", 2, "")
    assert Event.objects.filter(subject_id=payout.pk).count() == 1
