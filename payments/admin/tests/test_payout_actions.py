"""Staff set the destination of a payout, approve it, withdraw it, record it as sent, or try it again."""

import time
from decimal import Decimal

import pytest

from accounts.models import User
from accounts.tests.factories import StaffFactory
from cryptons.events.models import Event
from payments.admin.payout_actions import ACTIONS
from payments.admin.tests.payout_pages import HOME, act_path, page_of, payout_of, press, staff_who_may
from payments.models import Payout
from payments.payouts.workflow import set_destination
from payments.tests.factories import NOW

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]


def test_the_payout_list_and_page_open(grace):
    payout = payout_of()
    assert grace.get("/admin/payments/payout/").status_code == 200
    assert payout.destination in grace.get(page_of(payout)).content.decode()


@pytest.mark.parametrize(
    ("status", "more", "shown"),
    [
        ("draft", {}, {"destination", "approve", "fee", "withdraw"}),
        ("draft", {"destination": ""}, {"destination", "withdraw"}),
        ("draft", {"approved_by": "ada"}, {"approve", "fee", "withdraw"}),
        ("approved", {}, {"again", "fee", "hand", "withdraw"}),
        ("approved", {"psbt": "cHNidP8="}, {"sign", "hand", "withdraw"}),
        ("sending", {}, {"again"}),
        ("unknown", {}, {"again"}),
        ("failed", {}, {"hand"}),
        ("sent", {}, set()),
        ("withdrawn", {}, set()),
    ],
)
def test_a_payout_shows_only_the_actions_that_its_status_allows(grace, status, more, shown):
    payout = payout_of(status=status, **more)
    page = grace.get(page_of(payout)).content.decode()
    assert {name for name in ACTIONS if act_path(payout, name) in page} == shown


def test_staff_set_the_destination(grace):
    payout = payout_of(destination="")
    press(grace, payout, "destination", destination=HOME)
    assert Payout.objects.get().destination == HOME


def test_an_invalid_address_is_refused_and_stays_in_the_form(grace):
    payout = payout_of(destination="")
    answer = press(grace, payout, "destination", destination="no address!")
    assert answer.status_code == 400
    assert "no address!" in answer.content.decode()
    assert Payout.objects.get().destination == ""


def test_one_person_approves_a_small_payout(grace):
    payout = payout_of()
    page = press(grace, payout, "approve").content.decode()
    payout.refresh_from_db()
    assert "You approved this payout." in page
    assert payout.approved_by == "grace"
    assert payout.status in ("approved", "sent")


def test_an_approval_needs_a_code_of_the_last_15_minutes_from_who_has_a_second_factor(grace):
    payout = payout_of()
    User.objects.filter(username="grace").update(has_second_factor=True)
    again = f"/account/second-factor/code/?next={act_path(payout, 'approve')}"

    assert grace.get(act_path(payout, "approve"))["Location"] == again
    assert grace.post(act_path(payout, "approve"), {"version": payout.version})["Location"] == again
    assert Payout.objects.get().status == "draft"

    session = grace.session
    session["second_factor_at"] = int(time.time())
    session.save()
    press(grace, payout, "approve")
    assert Payout.objects.get().status != "draft"


def test_two_people_must_approve_a_large_payout(grace, settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = payout_of(created_by="buyer")
    ada = staff_who_may("view_payout", "change_payout", username="ada")

    press(grace, payout, "approve")
    assert "second person" in press(grace, payout, "approve").content.decode()
    assert Payout.objects.get().status == "draft"
    press(ada, payout, "approve")

    payout.refresh_from_db()
    assert (payout.approved_by, payout.confirmed_by) == ("grace", "ada")
    assert payout.status in ("approved", "sent")


def test_the_approval_page_shows_the_payouts_current_value(grace, settings):
    payout = payout_of(created_by="buyer")
    settings.FIXED_RATES = {"BTC": Decimal("60000.00")}
    page = grace.get(act_path(payout, "approve")).content.decode()
    assert "$120.00" in page
    assert "needs two people" in page


def test_an_approval_of_a_payout_whose_address_has_changed_is_refused(grace):
    payout = payout_of()
    seen = grace.get(act_path(payout, "approve")).context["form"]["version"].value()
    set_destination(payout.pk, "bcrt1qr8r8r8r8r8r8r8r8r8r8r8r8r8r8r8r8stap5p", actor="buyer", at=NOW)

    page = grace.post(act_path(payout, "approve"), {"version": seen}, follow=True).content.decode()

    assert "changed since you looked" in page
    assert Payout.objects.get().status == "draft"


def test_an_approval_without_a_version_is_refused(grace):
    payout = payout_of()
    assert grace.post(act_path(payout, "approve")).status_code == 400
    assert Payout.objects.get().status == "draft"


def test_a_withdrawal_and_its_reason_are_shown_in_the_history(grace):
    payout = payout_of()
    assert press(grace, payout, "withdraw", reason=" ").status_code == 400
    press(grace, payout, "withdraw", reason="a slip")
    event = Event.objects.filter(subject_id=payout.pk).latest("seq")
    assert (Payout.objects.get().status, event.actor, event.data["reason"]) == ("withdrawn", "grace", "a slip")
    assert "a slip" in grace.get(page_of(payout)).content.decode()


def test_a_payout_sent_by_hand_is_recorded_with_its_transaction(grace):
    payout = payout_of(status="failed")
    press(grace, payout, "hand", reason="from the safe", reference="ab" * 32)
    payout.refresh_from_db()
    assert (payout.status, payout.reference) == ("sent", "ab" * 32)


def test_one_transaction_cannot_be_recorded_for_two_payouts(grace):
    payout_of(status="sent", reference="ab" * 32)
    payout = payout_of(status="failed")
    page = press(grace, payout, "hand", reason="from the safe", reference="ab" * 32).content.decode()
    payout.refresh_from_db()
    assert "already recorded for another payout" in page
    assert payout.status == "failed"


def test_trying_a_sent_payout_again_is_refused(grace):
    assert "nothing to try again" in press(grace, payout_of(status="sent"), "again").content.decode()


def test_a_waiting_payout_is_tried_again_at_once(grace):
    payout = payout_of(status="unknown")
    page = press(grace, payout, "again").content.decode()
    event = Event.objects.filter(subject_id=payout.pk).earliest("seq")
    assert (event.type, event.actor) == ("payout.try_again", "grace")
    assert "Another try was requested" in page


RAW = f"0200000001{'ab' * 32}0700000000fdffffff01e803000000000000160014{'00' * 20}00000000"
"""It spends output 7 of the transaction abab…."""


@pytest.mark.parametrize(
    ("network", "status", "is_shown"),
    [("BTC", "unknown", True), ("LTC", "unknown", True), ("BTC-LN", "unknown", False), ("BTC", "sending", False), ("BTC", "sent", False)],
)
def test_a_payout_that_no_node_accepts_shows_how_to_give_it_up(grace, network, status, is_shown):
    payout = payout_of(status=status, network=network, psbt=RAW, next_try_at=NOW, error="too low a fee")
    page = grace.get(page_of(payout)).content.decode()
    assert (f"{'ab' * 32}:7" in page, "6 blocks deep" in page) == (is_shown, is_shown)
    assert "too low a fee" in page


@pytest.mark.parametrize("raw", ["", "0200zz", "00", "cHNidP8="])
def test_an_unreadable_transaction_gets_general_advice_for_giving_it_up(grace, raw):
    page = grace.get(page_of(payout_of(status="unknown", psbt=raw))).content.decode()
    assert "send a coin that it spends" in page


def test_an_unknown_payout_action_is_not_found(grace):
    assert grace.get(act_path(payout_of(), "steal")).status_code == 404


def test_a_refused_action_shows_its_page_again_with_the_typed_values(grace):
    payout_of(status="sent", reference="ab" * 32)
    answer = press(grace, payout_of(status="failed"), "hand", reason="from the safe", reference="ab" * 32)
    shown = {field.name: field.value() for field in answer.context["form"]}
    assert (answer.status_code, shown) == (409, {"reason": "from the safe", "reference": "ab" * 32})


def test_an_approval_of_an_old_version_is_asked_for_again_with_the_new_destination_and_version(grace):
    payout = payout_of()
    set_destination(payout.pk, "bcrt1qr8r8r8r8r8r8r8r8r8r8r8r8r8r8r8r8stap5p", actor="buyer", at=NOW)

    answer = grace.post(act_path(payout, "approve"), {"version": payout.version})

    assert answer.status_code == 409
    assert "bcrt1qr8r8r8r8r8r8r8r8r8r8r8r8r8r8r8r8stap5p" in answer.content.decode()
    assert answer.context["form"]["version"].value() == payout.version + 1
    assert 'role="alert"' in answer.content.decode()


def test_an_action_page_focuses_its_first_field_and_links_back_to_the_payout(grace):
    payout = payout_of(status="failed")
    page = grace.get(act_path(payout, "hand")).content.decode()
    assert page.count("autofocus") == 1
    assert f'<a class="closelink" href="{page_of(payout)}">' in page


def test_who_drafted_a_payout_that_needs_a_second_person_is_not_offered_to_approve_it(client, settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("0")
    payout = payout_of(created_by="grace", author_id=None)
    for name, may in (("grace", False), ("ada", True)):
        client.force_login(StaffFactory(username=name))
        page = client.get(page_of(payout)).text
        assert (act_path(payout, "approve") in page) == may
        assert ("<p>A second person must approve a payout of this value" in page) != may
