"""When a payout may go on and when it stops: the words, the rows, and what it leaves alone."""

import re

import pytest
from django.db.models import F

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.errors import NotCovered, PayoutMoved, PayoutRefused
from payments.models import Invoice, Payment, Payout
from payments.payouts import cover
from payments.payouts.cover import confirm_cover, cover_problem
from payments.payouts.sending import send
from payments.payouts.tests.payout_steps import covered_payout, draft, paid
from payments.payouts.workflow import mark_sent, move_payout, resume_draft, stop_payout, withdraw_payout
from payments.tests.factories import DUE, NOW, PaymentFactory, PayoutFactory
from payments.tests.subjects import PunctualSubject, RecordingJobs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]

PAYABLE = (
    "7K3M9-2QFXA can be paid again, so what was received counts towards it, and nothing is sent back. Withdraw this payout, or "
    "wait until the invoice is settled, expired or closed."
)
GONE = (
    "What this payout sends back is no longer there: of 0.00200000 BTC, only 0.00199999 can be refunded now. Nothing is sent. "
    "Withdraw this payout, or wait until the money is confirmed again."
)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Nothing is sent until the test sends it."""
    monkeypatch.setattr("payments.jobs._registered", [RecordingJobs()])
    monkeypatch.setattr("payments.subject._registered", [PunctualSubject(NOW)])


def problem(payout):
    return cover_problem(payout, Invoice.objects.get(pk=payout.invoice_id))


def lose_a_satoshi(payout):
    Payment.objects.filter(invoice=payout.invoice).update(amount_base=F("amount_base") - 1)


def events(payout):
    return list(Event.objects.filter(subject_id=payout.pk).order_by("seq").values_list("type", flat=True))


# --- Whether it is covered --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["draft", "approved", "failed"])
def test_a_payout_is_covered_to_the_last_satoshi(status):
    payout = covered_payout(status=status)
    assert problem(payout) == ""
    lose_a_satoshi(payout)
    assert problem(payout) == GONE


@pytest.mark.parametrize("status", ["sending", "unknown", "sent", "withdrawn"])
def test_a_payout_that_can_no_longer_be_stopped_needs_no_cover(status):
    payout = covered_payout(status=status)
    lose_a_satoshi(payout)
    Invoice.objects.update(status="new")
    assert problem(payout) == ""


@pytest.mark.parametrize("status", ["new", "processing"])
def test_a_payout_of_an_invoice_that_can_be_paid_again_says_what_to_do(status):
    payout = covered_payout()
    Invoice.objects.update(status=status)
    assert problem(payout) == PAYABLE


def test_a_payout_is_covered_only_by_money_of_its_own_coin():
    payout = covered_payout()
    Payment.objects.update(network="LTC")
    assert "of 0.00200000 BTC, only 0.00000000 can be refunded now" in problem(payout)


def test_confirming_the_cover_raises_the_version_of_that_invoice_alone():
    payout, other = covered_payout(), covered_payout()
    confirm_cover(payout)
    assert [Invoice.objects.get(pk=row.invoice_id).version for row in (payout, other)] == [2, 1]


@pytest.mark.parametrize("is_dirty", [True, False])
def test_the_cover_is_not_confirmed_while_facts_about_the_invoice_come_in(monkeypatch, is_dirty):
    payout = covered_payout()
    if is_dirty:
        Invoice.objects.update(needs_settling=True)
    else:
        monkeypatch.setattr(cover, "update_if_unchanged", lambda invoice: False)
    with pytest.raises(PayoutMoved, match=r"^New facts about this payment are being read\. Please try again in a few seconds\.$"):
        confirm_cover(payout)
    assert Invoice.objects.get().version == 1


def test_a_payout_without_cover_is_refused_with_the_reason():
    payout = covered_payout()
    lose_a_satoshi(payout)
    with pytest.raises(NotCovered, match=f"^{re.escape(GONE)}$"):
        confirm_cover(payout)


def test_late_money_of_a_settled_invoice_is_refunded_as_something_else():
    sentence = "7K3M9-2QFXA has settled, so its money is no longer late. Refund the excess, or all of it."
    with pytest.raises(PayoutRefused, match=f"^{re.escape(sentence)}$"):
        draft(paid(), kind="late")
    invoice = paid()
    Invoice.objects.filter(pk=invoice.pk).update(status="expired")
    assert [draft(invoice, kind=kind, amount_base=DUE // 2).kind for kind in ("late", "refund")] == ["late", "refund"]


# --- Which steps ask ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["approved", "sending"])
def test_a_first_step_towards_sending_asks_for_the_money_and_takes_the_stop_away(status):
    payout = covered_payout(blocked_by="cover")
    lose_a_satoshi(payout)
    with pytest.raises(NotCovered):
        move_payout(payout, status, at=NOW)
    Payment.objects.update(amount_base=DUE)
    move_payout(payout, status, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == (status, "")


@pytest.mark.parametrize(
    ("before", "after"), [("approved", "failed"), ("sending", "sending"), ("sending", "unknown"), ("unknown", "sending")]
)
def test_a_step_after_the_first_and_a_failure_ask_for_no_money(before, after):
    payout = PayoutFactory(status=before)
    assert move_payout(payout, after, at=NOW).status == after


@pytest.mark.parametrize(("status", "asks"), [("approved", True), ("sending", False), ("unknown", False)])
def test_a_payout_that_is_sent_at_once_asks_for_its_money(status, asks):
    payout = covered_payout(status=status)
    lose_a_satoshi(payout)
    if asks:
        with pytest.raises(NotCovered):
            mark_sent(payout, "f" * 64, fee_base=0, at=NOW)
    else:
        assert mark_sent(payout, "f" * 64, fee_base=0, at=NOW).status == "sent"


# --- How it stops and goes on -----------------------------------------------------------------------------------------------


def test_a_stopped_payout_is_not_due_and_has_a_short_reason(settings):
    settings.STAFF_EMAIL = ["staff@example.com"]
    payout, other = covered_payout(), covered_payout()

    stop_payout(payout, "x" * 400, at=NOW)

    payout.refresh_from_db()
    other.refresh_from_db()
    assert (payout.status, payout.blocked_by, payout.error, payout.next_try_at) == ("approved", "cover", "x" * 300, None)
    assert (events(payout), Mail.objects.filter(key__startswith=f"payout:{payout.pk}:cover").count()) == (["payout.stopped"], 1)
    assert (other.blocked_by, other.next_try_at) == ("", NOW)


def test_a_draft_goes_on_without_its_reason():
    payout = covered_payout(status="draft", blocked_by="cover", error=GONE)
    resume_draft(payout, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by, payout.error, payout.next_try_at) == ("draft", "", "", None)
    assert events(payout) == ["payout.covered"]


@pytest.mark.parametrize("status", ["draft", "approved"])
def test_a_payout_whose_money_is_gone_stops_when_it_is_looked_at(status):
    payout = covered_payout(status=status)
    lose_a_satoshi(payout)
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by, payout.error, payout.next_try_at) == (status, "cover", GONE, None)


def test_a_covered_draft_is_looked_at_once_and_not_sent():
    payout, other = covered_payout(status="draft"), covered_payout(status="draft")
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    other.refresh_from_db()
    assert (payout.status, payout.next_try_at, payout.version, events(payout)) == ("draft", None, 1, [])
    assert other.next_try_at == NOW


def test_a_stopped_payout_is_told_again_only_when_its_reason_is_another_one():
    payout = covered_payout(blocked_by="cover", error=GONE)
    lose_a_satoshi(payout)
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.next_try_at, payout.version, events(payout)) == (None, 1, [])

    Invoice.objects.update(status="processing")
    Payout.objects.update(next_try_at=NOW)
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.error, payout.next_try_at, events(payout)) == (PAYABLE, None, ["payout.stopped"])


def test_a_stopped_draft_whose_money_is_there_again_goes_on_and_a_stopped_approval_waits_for_a_person():
    stopped, approved = (covered_payout(status=status, blocked_by="cover", error=GONE) for status in ("draft", "approved"))
    for payout in (stopped, approved):
        send(payout.pk, at=NOW)
        payout.refresh_from_db()
    assert (stopped.blocked_by, stopped.error, stopped.next_try_at, events(stopped)) == ("", "", None, ["payout.covered"])
    assert (approved.status, approved.blocked_by, approved.next_try_at, events(approved)) == ("approved", "cover", None, [])


def test_a_payout_whose_money_vanishes_during_its_step_stops_with_the_reason(monkeypatch):
    payout = covered_payout()

    def lose_it(payout, at):
        lose_a_satoshi(payout)
        move_payout(payout, "sending", at=at)

    monkeypatch.setattr("payments.payouts.sending._sender_for", lambda _: lose_it)
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by, payout.error, payout.next_try_at) == ("approved", "cover", GONE, None)


def test_a_payout_that_was_withdrawn_during_its_step_is_not_stopped(monkeypatch):
    payout = covered_payout()

    def withdraw(payout, at):
        withdraw_payout(payout.pk, actor="ada", reason="a slip", at=at)
        raise NotCovered(GONE)

    monkeypatch.setattr("payments.payouts.sending._sender_for", lambda _: withdraw)
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by, payout.error) == ("withdrawn", "", "")


@pytest.mark.parametrize("end", ["withdrawn", "failed"])
def test_a_payout_that_is_over_makes_those_due_that_stopped_next_to_it(end):
    payout = covered_payout()
    others = {status: PayoutFactory(invoice=payout.invoice, status=status) for status in ("draft", "approved", "sending", "sent")}
    other = PayoutFactory(status="draft")

    if end == "failed":
        move_payout(payout, "failed", at=NOW, next_try_at=None)
    else:
        withdraw_payout(payout.pk, actor="ada", reason="a slip", at=NOW)

    assert set(Payout.objects.filter(next_try_at=NOW)) == {others["draft"], others["approved"]}
    other.refresh_from_db()
    assert other.next_try_at is None


def test_a_payout_that_goes_on_leaves_those_next_to_it_alone():
    payout = covered_payout()
    PaymentFactory(option=Payment.objects.get().option, status="settled", height=1)
    others = PayoutFactory(invoice=payout.invoice, status="draft")
    move_payout(payout, "sending", at=NOW, next_try_at=None)
    others.refresh_from_db()
    assert others.next_try_at is None
