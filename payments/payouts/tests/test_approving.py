"""What an approval writes and whom it refuses, with the words that staff read; then how a payout is withdrawn, retried or recorded."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.errors import PayoutMoved, PayoutRefused
from payments.models import Cursor, Invoice, Payment, Payout
from payments.payouts import workflow
from payments.payouts.tests.payout_steps import covered_payout, draft, paid
from payments.payouts.workflow import (
    APPROVALS,
    approve_payout,
    mark_sent,
    move_payout,
    record_sent_by_hand,
    required_approvals,
    revalue,
    set_destination,
    try_again,
    withdraw_payout,
)
from payments.tests.factories import DUE, NOW, TIP, CursorFactory, PayoutFactory
from payments.tests.subjects import PunctualSubject, RecordingJobs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]

LATER = NOW + timedelta(hours=1)
MOVED = r"^Somebody else changed this payout at the same moment\. Please check it again\.$"


@pytest.fixture(autouse=True)
def jobs(monkeypatch):
    """Nothing is sent; which payouts would be is noted."""
    jobs = RecordingJobs()
    monkeypatch.setattr("payments.jobs._registered", [jobs])
    monkeypatch.setattr("payments.subject._registered", [PunctualSubject(NOW)])
    return jobs


def refused(sentence):
    """Expect a refusal with exactly this text."""
    return pytest.raises(PayoutRefused, match=f"^{re.escape(sentence)}$")


def gone(left):
    return (
        f"What this payout sends back is no longer there: of 0.00200000 BTC, only {left} can be refunded now. Nothing is sent. "
        "Withdraw this payout, or wait until the money is confirmed again."
    )


def drafted(**more):
    return draft(paid(), destination="bcrt1qback", **more)


def approve(payout, actor="grace", at=NOW, **more):
    return approve_payout(payout.pk, actor=actor, at=at, **more)


def last_event(payout):
    event = Event.objects.filter(subject_id=payout.pk).latest("seq")
    return event.type, event.actor, event.seq


# --- What an approval writes ----------------------------------------------------------------------------------------------


def test_an_approved_payout_is_due_at_once_and_named_after_who_approved_it(jobs, settings):
    payout, other = drafted(), drafted()
    settings.FIXED_RATES = {"BTC": Decimal("45000.00")}

    approve(payout, at=LATER)

    payout.refresh_from_db()
    assert (payout.status, payout.approved_by, payout.confirmed_by) == ("approved", "grace", "")
    assert (payout.approved_at, payout.next_try_at, payout.version) == (LATER, LATER, 2)
    assert (payout.value_minor, payout.minor_per_coin, payout.rate_sources) == (9_000, 4_500_000, {"fixed": "45000.00"})
    assert (last_event(payout), jobs.sent) == (("payout.approved", "grace", 2), [payout.pk])
    other.refresh_from_db()
    assert (other.status, other.version) == ("draft", 1)


def test_a_first_of_two_approvals_is_stored_and_sends_nothing(jobs, settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("89.99")
    payout = drafted(actor="buyer")
    settings.FIXED_RATES = {"BTC": Decimal("45000.00")}

    approve(payout)

    payout.refresh_from_db()
    assert (payout.status, payout.approved_by, payout.confirmed_by) == ("draft", "grace", "")
    assert (payout.approved_at, payout.next_try_at, payout.value_minor) == (None, None, 9_000)
    assert (last_event(payout), jobs.sent) == (("payout.agreed", "grace", 2), [])

    approve(payout, actor="ada")
    payout.refresh_from_db()
    assert (payout.status, payout.approved_by, payout.confirmed_by) == ("approved", "grace", "ada")
    assert jobs.sent == [payout.pk]


def test_the_author_and_the_first_approver_are_the_two_people(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = approve(drafted(actor="grace"), actor="ada")
    assert (payout.status, payout.approved_by, payout.confirmed_by) == ("approved", "ada", "")


def test_a_payout_of_exactly_the_limit_needs_one_person(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(100)
    assert required_approvals(drafted()) == 1
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    assert required_approvals(drafted()) == 2


@pytest.mark.parametrize(
    ("status", "people"),
    [("draft", 1), ("withdrawn", 1), ("failed", 1), ("approved", 2), ("sending", 2), ("unknown", 2), ("sent", 2)],
)
def test_other_payouts_of_the_invoice_count_once_they_are_approved(status, people):
    payout = drafted(amount_base=DUE // 2)
    PayoutFactory(invoice=payout.invoice, status=status, value_minor=5_001)
    PayoutFactory(invoice=paid(), status=status)
    assert required_approvals(payout) == people


def test_each_approval_is_counted_so_that_two_of_them_never_read_the_same_sum():
    for number in ("1", "2"):
        approve(drafted())
        assert Cursor.objects.get(network=APPROVALS).value == number
    assert APPROVALS == "payouts"


def test_counting_an_approval_leaves_the_cursors_of_networks_alone():
    CursorFactory(value="1")
    approve(drafted())
    approve(drafted())
    assert Cursor.objects.get(network="BTC").value == "1"


def test_a_payout_is_revalued_at_the_rate_of_now_without_being_written(settings):
    payout = drafted()
    settings.FIXED_RATES = {"BTC": Decimal("60000.00")}
    values = revalue(payout, at=NOW)
    assert values == {"value_minor": 12_000, "minor_per_coin": 6_000_000, "rate_sources": {"fixed": "60000.00"}}
    assert (payout.value_minor, payout.minor_per_coin, payout.rate_sources) == (12_000, 6_000_000, {"fixed": "60000.00"})
    assert Payout.objects.get().value_minor == 10_000


# --- Whom it refuses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "words"), [("approved", "Approved"), ("sent", "Sent"), ("withdrawn", "Withdrawn")])
def test_the_refusal_of_a_payout_that_is_no_draft_names_its_status(status, words):
    with refused(f"This payout cannot be approved, because its status is “{words}”."):
        approve(PayoutFactory(status=status))


def test_the_refusal_of_a_changed_payout_asks_to_check_the_destination():
    payout = drafted()
    set_destination(payout.pk, "bcrt1qthief", actor="buyer", at=NOW)
    with refused("This payout was changed since you looked at it. Please check its destination again."):
        approve(payout, seen_version=1)
    assert approve(payout, seen_version=2).status == "approved"


def test_the_refusals_of_a_payout_without_destination_or_money_say_so():
    with refused("This payout has no destination yet."):
        approve(draft(paid()))
    payout = drafted()
    Payment.objects.update(status="seen")
    with refused(gone("0.00000000")):
        approve(payout)


def test_a_payout_of_all_that_is_there_is_covered_and_one_satoshi_more_is_not():
    payout = drafted()
    Payment.objects.update(amount_base=DUE - 1)
    with refused(gone("0.00199999")):
        approve(payout)
    Payment.objects.update(amount_base=DUE)
    assert approve(payout).status == "approved"


@pytest.mark.parametrize(
    ("height", "sentence"),
    [
        (TIP, "The payment needs 5 more confirmations before so much can be refunded. Approve this later."),
        (TIP - 4, "The payment needs 1 more confirmation before so much can be refunded. Approve this later."),
    ],
)
def test_the_refusal_of_a_shallow_payment_counts_the_missing_confirmations(height, sentence):
    CursorFactory()
    payout = drafted(amount_base=DUE)
    Payment.objects.update(height=height)
    Invoice.objects.update(paid_safe_minor=100_000)
    with refused(sentence):
        approve(payout)


def test_the_refusal_of_a_second_approval_by_the_same_person_names_the_value(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    with refused("A second person must approve a payout of this value: it is $100.00 now."):
        approve(drafted())
    euros = draft(paid(option__invoice__currency="EUR"), destination="bcrt1qback")
    with refused("A second person must approve a payout of this value: it is €100.00 now."):
        approve(euros)


def test_the_refusal_of_a_payout_above_the_limit_names_the_limit(settings):
    settings.PAYOUT_LIMIT = Decimal("99.99")
    with refused("The value of one payout is limited to $99.99 (PAYOUT_LIMIT)."):
        approve(drafted())
    settings.PAYOUT_LIMIT = Decimal(100)
    assert approve(drafted()).status == "approved"


def test_the_refusal_of_a_payout_above_the_daily_limit_names_the_limit(settings):
    settings.PAYOUT_DAILY_LIMIT = Decimal("99.99")
    with refused("With this payout, the payouts of 24 hours would exceed $99.99 (PAYOUT_DAILY_LIMIT). Approve it tomorrow."):
        approve(drafted())
    settings.PAYOUT_DAILY_LIMIT = Decimal(200)
    assert [approve(drafted()).status, approve(drafted()).status] == ["approved", "approved"]
    with refused("With this payout, the payouts of 24 hours would exceed $200.00 (PAYOUT_DAILY_LIMIT). Approve it tomorrow."):
        approve(drafted())


@pytest.mark.parametrize(("currency", "limit"), [("EUR", "€99.99"), ("JPY", "¥9,999")])
def test_the_limits_are_those_of_the_payouts_own_currency(settings, currency, limit):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(10_000)
    payout = draft(paid(option__invoice__currency=currency), destination="bcrt1qback")
    settings.PAYOUT_LIMIT = settings.PAYOUT_DAILY_LIMIT = Decimal("99.99" if currency == "EUR" else 9_999)
    with refused(f"The value of one payout is limited to {limit} (PAYOUT_LIMIT)."):
        approve(payout)
    settings.PAYOUT_LIMIT = Decimal(10_000)
    with refused(f"With this payout, the payouts of 24 hours would exceed {limit} (PAYOUT_DAILY_LIMIT). Approve it tomorrow."):
        approve(payout)
    settings.PAYOUT_DAILY_LIMIT = Decimal(100 if currency == "EUR" else 10_000)
    assert approve(payout).status == "approved"


@pytest.mark.parametrize(("approved_at", "counts"), [(NOW - timedelta(hours=24), False), (NOW - timedelta(hours=23, minutes=59), True)])
def test_the_day_of_the_daily_limit_has_twenty_four_hours(settings, approved_at, counts):
    settings.PAYOUT_DAILY_LIMIT = Decimal("199.99")
    PayoutFactory(status="sent", approved_at=approved_at)
    payout = drafted()
    if counts:
        with pytest.raises(PayoutRefused):
            approve(payout)
    else:
        assert approve(payout).status == "approved"


def test_an_approval_that_loses_the_race_three_times_asks_to_check_again(monkeypatch):
    payout, tries = drafted(), []

    def be_slow():
        tries.append(1)
        Payout.objects.update(version=F("version") + 1)

    monkeypatch.setattr(workflow, "_one_at_a_time", be_slow)
    with pytest.raises(PayoutMoved, match=r"^Somebody else changed this at the same moment\. Please check it again\.$"):
        approve(payout)
    assert len(tries) == 3


# --- Withdrawn, retried, recorded -----------------------------------------------------------------------------------------


def test_a_withdrawn_payout_is_not_due_and_keeps_no_transaction_to_sign(jobs):
    payout = PayoutFactory(status="approved", psbt="cHNidP8=", next_try_at=NOW)
    other = PayoutFactory(status="approved", psbt="cHNidP8=")

    withdraw_payout(payout.pk, actor="ada", reason="a slip", at=NOW)

    payout.refresh_from_db()
    assert (payout.status, payout.next_try_at, payout.psbt, jobs.sent) == ("withdrawn", None, "", [])
    event = Event.objects.get(subject_id=payout.pk)
    assert (event.type, event.actor, event.data["reason"], event.data["status"]) == ("payout.withdrawn", "ada", "a slip", "withdrawn")
    assert Payout.objects.get(pk=other.pk).psbt == "cHNidP8="


@pytest.mark.parametrize(("status", "words"), [("sending", "Sending"), ("sent", "Sent"), ("withdrawn", "Withdrawn")])
def test_the_refusal_of_a_withdrawal_names_the_status(status, words):
    with refused(f"This payout cannot be withdrawn, because its status is “{words}”."):
        withdraw_payout(PayoutFactory(status=status).pk, actor="ada", reason="a slip", at=NOW)


@pytest.mark.parametrize("status", ["approved", "sending", "unknown"])
def test_an_unfinished_payout_can_be_tried_again_now(jobs, status):
    payout = PayoutFactory(status=status, next_try_at=LATER)
    try_again(payout.pk, actor="ada", at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.next_try_at, jobs.sent) == (status, NOW, [payout.pk])
    assert last_event(payout) == ("payout.try_again", "ada", 2)


@pytest.mark.parametrize(("status", "words"), [("draft", "Draft"), ("sent", "Sent"), ("failed", "Failed")])
def test_the_refusal_of_another_try_names_the_status(status, words):
    with refused(f"There is nothing to try again: the status of this payout is “{words}”."):
        try_again(PayoutFactory(status=status).pk, actor="ada", at=NOW)


@pytest.mark.parametrize("status", ["approved", "failed"])
def test_a_payout_recorded_by_hand_is_sent_and_has_no_error_any_more(jobs, status):
    payout = PayoutFactory(invoice=paid(), status=status, error="no route", next_try_at=NOW)

    record_sent_by_hand(payout.pk, "f" * 64, actor="ada", reason="from the safe", at=LATER)

    payout.refresh_from_db()
    assert (payout.status, payout.reference, payout.sent_at) == ("sent", "f" * 64, LATER)
    assert (payout.next_try_at, payout.error, payout.fee_base, jobs.sent) == (None, "", None, [])
    event = Event.objects.get(subject_id=payout.pk)
    assert (event.type, event.actor, event.data["reason"], event.data["reference"]) == ("payout.sent", "ada", "from the safe", "f" * 64)


@pytest.mark.parametrize(("status", "words"), [("draft", "Draft"), ("sending", "Sending"), ("sent", "Sent"), ("unknown", "Unknown")])
def test_the_refusal_of_a_record_by_hand_names_the_status(status, words):
    sentence = "Only a payout that is approved or has failed can be recorded as sent manually: the status of this one is"
    with refused(f"{sentence} “{words}”."):
        record_sent_by_hand(PayoutFactory(status=status).pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)


def test_the_refusal_to_record_a_failed_payout_whose_money_is_elsewhere_says_what_to_do():
    invoice = paid()
    failed = PayoutFactory(invoice=invoice, status="failed")
    draft(invoice)
    with refused("This money is gone, or has since been assigned to another payout."):
        record_sent_by_hand(failed.pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)


def test_recording_an_approved_payout_leaves_its_invoice_alone():
    payout = PayoutFactory(invoice=paid(), status="approved")
    record_sent_by_hand(payout.pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)
    assert Invoice.objects.get().version == 1


def test_a_failed_payout_is_not_recorded_while_facts_about_its_invoice_come_in():
    failed = PayoutFactory(invoice=paid(), status="failed")
    Invoice.objects.update(needs_settling=True)
    with pytest.raises(PayoutMoved):
        record_sent_by_hand(failed.pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)
    assert Payout.objects.get().status == "failed"


def test_a_payout_that_the_node_sent_is_recorded_with_its_fee():
    payout = PayoutFactory(status="sending", error="away", next_try_at=NOW)
    mark_sent(payout, "f" * 64, fee_base=321, at=LATER)
    payout.refresh_from_db()
    assert (payout.status, payout.reference, payout.fee_base, payout.sent_at) == ("sent", "f" * 64, 321, LATER)
    assert (payout.error, payout.next_try_at) == ("", None)
    event = Event.objects.get(subject_id=payout.pk)
    assert (event.type, event.actor, "reason" in event.data) == ("payout.sent", "", False)


def test_a_step_of_a_payout_that_changed_since_it_was_read_asks_to_check_again():
    payout = covered_payout(next_try_at=None)
    Payout.objects.update(version=5)
    with pytest.raises(PayoutMoved, match=MOVED):
        move_payout(payout, "sending", at=NOW)


@pytest.mark.parametrize(("next_try_at", "is_queued"), [(None, False), (NOW, True), (NOW + timedelta(seconds=1), False)])
def test_a_payout_is_queued_when_it_is_due(jobs, next_try_at, is_queued):
    payout = covered_payout(next_try_at=None)
    move_payout(payout, "sending", at=NOW, next_try_at=next_try_at)
    assert jobs.sent == ([payout.pk] if is_queued else [])


@pytest.mark.parametrize(("status", "mails"), [("sending", 0), ("failed", 1), ("unknown", 1)])
def test_staff_are_told_of_a_payout_in_trouble(settings, status, mails):
    settings.STAFF_EMAIL = ["staff@example.com"]
    payout = covered_payout(next_try_at=None)
    move_payout(payout, status, at=NOW, error="no route")
    assert Mail.objects.filter(key=f"payout:{payout.pk}:{status}").count() == mails
