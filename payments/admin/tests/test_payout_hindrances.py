"""Staff see that the money of a payout is gone, or that its fee is too high, before they press anything."""

from decimal import Decimal

import pytest

from cryptons.events.models import Event
from payments.admin.tests.payout_pages import act_path, page_of, paid, payout_of, press, staff_who_may
from payments.models import Payment, Payout
from payments.tests.factories import PayoutFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]


@pytest.mark.parametrize(
    ("status", "psbt", "name"), [("draft", "", "approve"), ("approved", "", "again"), ("approved", "cHNidP8=", "sign")]
)
def test_the_pages_of_a_payout_say_that_its_money_is_gone(grace, status, psbt, name):
    payout = payout_of(status=status, psbt=psbt)
    assert "no longer there" not in grace.get(page_of(payout)).content.decode()
    Payment.objects.update(status="gone", is_present=False)
    for path in (page_of(payout), act_path(payout, name)):
        assert "What this payout sends back is no longer there" in grace.get(path).content.decode()


def test_the_page_of_a_payout_says_that_its_order_can_be_paid_again(grace):
    payout = PayoutFactory(invoice=paid("processing"))
    assert "can be paid again" in grace.get(page_of(payout)).content.decode()


def test_a_payout_whose_money_is_gone_is_not_approved_by_its_button(grace):
    payout = payout_of()
    Payment.objects.update(status="gone", is_present=False)
    answer = press(grace, payout, "approve")
    assert (answer.status_code, Payout.objects.get().status) == (409, "draft")
    assert "no longer there" in answer.content.decode()


@pytest.mark.parametrize(("psbt", "button"), [("", "Try again now"), ("cHNidP8=", "Upload the signed transaction")])
def test_the_page_says_how_a_stopped_payout_goes_on_when_its_money_is_back(grace, psbt, button):
    payout = payout_of(status="approved", blocked_by="cover", psbt=psbt, error="gone")
    page = grace.get(page_of(payout)).content.decode()
    assert f"is there again. Send it by “{button}”" in page


def test_the_error_of_a_failed_payout_is_shown_although_its_money_is_gone(grace):
    payout = payout_of(status="failed", error="There is no route.")
    Payment.objects.update(status="gone", is_present=False)
    page = grace.get(page_of(payout)).content.decode()
    assert "There is no route." in page
    assert "no longer there" not in page


# --- Fees ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def spike(settings, monkeypatch):
    settings.SANDBOX, settings.BITCOIN_RPC_HOST, settings.PAYOUT_FEE_MINIMUM = False, "127.0.0.1", Decimal(2)
    monkeypatch.setattr("payments.networks.bitcoin.payouts.estimate_fee", lambda *_: 42_300)


@pytest.mark.parametrize("path", [page_of, lambda payout: act_path(payout, "approve")])
def test_the_fee_and_its_limit_are_shown_before_the_approval(grace, spike, path):
    page = grace.get(path(payout_of())).content.decode()
    assert "about 0.00042300 BTC, at most 0.00004000 BTC" in page
    assert "The payout waits until fees fall" in page


def test_staff_allow_a_higher_fee_with_a_reason(grace, spike):
    payout = payout_of()
    assert press(grace, payout, "fee", fee="0.0005", reason="").status_code == 400
    press(grace, payout, "fee", fee="0.0005", reason="The buyer waits.")
    event = Event.objects.get(subject_id=payout.pk, type="payout.fee_allowed")
    assert (Payout.objects.get().fee_allowed_base, event.actor, event.data["reason"]) == (50_000, "grace", "The buyer waits.")


def test_a_higher_fee_needs_the_permission(spike):
    payout = payout_of()
    assert staff_who_may("view_payout").get(act_path(payout, "fee")).status_code == 403
