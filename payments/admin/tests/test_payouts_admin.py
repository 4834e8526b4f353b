"""Staff's pages about payouts: each act, and each permission for the person who lacks it."""

import base64
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.tests.factories import StaffFactory, UserFactory
from cryptons.events.models import Event
from payments.admin.payout_actions import ACTIONS
from payments.models import Payout
from payments.payouts.workflow import set_destination
from payments.tests.factories import DUE, NOW, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "bcrt1qhome00000000000000"


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT, settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000), Decimal(5000), Decimal(100)


def staff_who_may(*permissions, **more):
    staff = StaffFactory(is_superuser=False, **more)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return browser_of(staff)


def browser_of(user):
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def grace():
    return browser_of(StaffFactory(username="grace"))


def paid(status="settled", **more):
    return PaymentFactory(status="settled", height=1, option__invoice__status=status, **more).invoice


def payout_of(**more):
    """A payout whose money is there."""
    return PayoutFactory(invoice=paid(), **more)


def act_path(payout, name):
    return f"/admin/payments/payout/{payout.pk}/act/{name}/"


def page_of(payout):
    return f"/admin/payments/payout/{payout.pk}/change/"


def draft_path(invoice, kind="refund"):
    return f"/admin/payments/payout/draft/{invoice.pk}/{kind}/"


def press(browser, payout, name, **values):
    """The act's page, its form filled in and sent as it was shown."""
    form = browser.get(act_path(payout, name)).context["form"]
    shown = {field.name: field.value() for field in form if field.value() is not None}
    return browser.post(act_path(payout, name), {**shown, **values}, follow=True)


# --- Who may ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIONS)
def test_who_may_only_look_does_none_of_it(name):
    browser, payout = staff_who_may("view_payout", "add_payout", "view_invoice"), payout_of()
    assert browser.get(act_path(payout, name)).status_code == 403
    assert browser.post(act_path(payout, name), {"reason": "x", "version": 1, "destination": HOME}).status_code == 403
    assert Payout.objects.get().version == 1


def test_who_may_only_look_gets_no_transaction_to_sign():
    payout = payout_of(status="approved", psbt=base64.b64encode(b"psbt\xff").decode())
    assert staff_who_may("view_payout", "add_payout").get(f"/admin/payments/payout/{payout.pk}/psbt/").status_code == 403


def test_who_may_only_look_sees_no_buttons():
    browser = staff_who_may("view_payout", "add_payout", "view_invoice")
    for payout in (payout_of(), payout_of(status="approved", psbt="cHNidP8="), payout_of(status="unknown")):
        page = browser.get(page_of(payout))
        assert page.status_code == 200
        assert f"/payout/{payout.pk}/act/" not in page.content.decode()
        assert "Download the transaction" not in page.content.decode()


@pytest.mark.parametrize(
    ("permission", "may_decide", "may_draft"),
    [("view_payment", False, False), ("change_invoice", True, False), ("add_payout", False, True), ("change_payout", False, False)],
)
def test_the_invoice_shows_each_person_what_they_may_press(permission, may_decide, may_draft):
    browser, invoice = staff_who_may("view_invoice", permission), paid("expired")
    page = browser.get(f"/admin/payments/invoice/{invoice.pk}/change/").content.decode()
    assert (f"/invoice/{invoice.pk}/decide/" in page, draft_path(invoice, "late") in page) == (may_decide, may_draft)
    assert browser.get(f"/admin/payments/invoice/{invoice.pk}/decide/accept/").status_code == (200 if may_decide else 403)
    assert browser.get(draft_path(invoice, "late")).status_code == (200 if may_draft else 403)
    assert "Ask the node now" in page


def test_who_drafts_without_seeing_payouts_comes_back_to_the_invoice():
    browser, invoice = staff_who_may("view_invoice", "add_payout"), paid()
    answer = browser.post(draft_path(invoice), {"network": "BTC", "unit": "coins", "amount": "0.0005", "reason": "a scratch"}, follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == f"/admin/payments/invoice/{invoice.pk}/change/"


def test_who_may_change_payouts_drafts_none():
    browser, invoice = staff_who_may("view_payout", "change_payout", "view_invoice"), paid()
    assert browser.get(draft_path(invoice)).status_code == 403
    assert browser.post(draft_path(invoice), {"network": "BTC", "unit": "coins", "amount": "0.001", "reason": "x"}).status_code == 403
    assert not Payout.objects.exists()


def test_who_may_not_look_sees_no_payouts():
    browser, payout = staff_who_may("view_invoice"), payout_of()
    assert browser.get("/admin/payments/payout/").status_code == 403
    assert browser.get(page_of(payout)).status_code == 403


@pytest.mark.parametrize("path", ["/admin/payments/payout/", "act", "draft", "psbt"])
def test_a_buyer_does_not_get_in(path):
    payout = payout_of(status="approved", psbt="cHNidP8=")
    paths = {"act": act_path(payout, "approve"), "draft": draft_path(payout.invoice), "psbt": f"/admin/payments/payout/{payout.pk}/psbt/"}
    answer = browser_of(UserFactory()).get(paths.get(path, path))
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/admin/login/")


def test_even_a_superuser_writes_no_payout_but_by_an_act(grace):
    payout = payout_of()
    assert grace.get("/admin/payments/payout/add/").status_code == 403
    assert grace.post(f"/admin/payments/payout/{payout.pk}/delete/", {"post": "yes"}).status_code == 403
    assert grace.post(page_of(payout), {"amount_base": "1"}).status_code == 403


def test_the_form_of_another_site_is_refused():
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(StaffFactory())
    payout = payout_of()
    assert browser.post(act_path(payout, "approve"), {"version": 1}).status_code == 403
    assert Payout.objects.get().status == "draft"


# --- Drafting -----------------------------------------------------------------------------------------------------------------


def test_a_draft_is_made_from_the_invoice(grace):
    invoice = paid()
    PayoutFactory(invoice=invoice, amount_base=1_000, status="sent")
    page = grace.get(draft_path(invoice)).content.decode()
    for words in ("0.00200000 BTC", "0.00001000 BTC (sent)", "at most 0.00199000 BTC"):
        assert words in page

    page = grace.post(draft_path(invoice), {"network": "BTC", "unit": "coins", "amount": "0.0005", "reason": "a scratch"}, follow=True)

    payout = Payout.objects.get(status="draft")
    assert (payout.amount_base, payout.kind, payout.created_by, payout.reason) == (50_000, "refund", "grace", "a scratch")
    assert page.redirect_chain[-1][0] == page_of(payout)


@pytest.mark.parametrize(
    ("amount", "says"),
    [("0.00200001", "Between 0.00000547 and 0.00200000 BTC"), ("0.000000001", "finer than BTC"), ("0", "Between"), ("-1", "greater than")],
)
def test_an_amount_that_cannot_go_back_stays_in_the_form(grace, amount, says):
    answer = grace.post(draft_path(paid()), {"network": "BTC", "unit": "coins", "amount": amount, "reason": "a scratch"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert says in page
    assert f'value="{amount}"' in page
    assert not Payout.objects.exists()


@pytest.mark.parametrize(
    ("network", "amount", "base"),
    [("BTC", "20.00", 40_000), ("BTC", "0.99", 1_980), ("BTC-LN", "0.99", 1_980_000), ("BTC", "100", 200_000)],
)
def test_a_part_may_be_said_in_the_shops_currency(grace, network, amount, base):
    """At the rate of now."""
    grace.post(draft_path(paid()), {"network": network, "unit": "fiat", "amount": amount, "reason": "a scratch"})
    payout = Payout.objects.get()
    assert (payout.network, payout.amount_base) == (network, base)


def test_more_than_came_is_too_much_in_any_unit(grace, settings):
    settings.FIXED_RATES = {"BTC": Decimal("49000.00")}
    answer = grace.post(draft_path(paid()), {"network": "BTC", "unit": "fiat", "amount": "98.01", "reason": "a scratch"})
    assert "today worth 98.00 USD" in answer.content.decode()
    assert "Between" in answer.content.decode()
    assert not Payout.objects.exists()


def test_without_a_fresh_rate_it_is_said_in_coins(grace, settings):
    settings.FIXED_RATES = {}
    invoice = paid()
    answer = grace.post(draft_path(invoice), {"network": "BTC", "unit": "fiat", "amount": "20.00", "reason": "a scratch"})
    assert (answer.status_code, "Enter the amount in coins" in answer.content.decode()) == (400, True)
    assert "today worth" not in answer.content.decode()
    grace.post(draft_path(invoice), {"network": "BTC", "unit": "coins", "amount": "0.0004", "reason": "a scratch"})
    assert Payout.objects.get().amount_base == 40_000


def test_an_order_in_another_currency_than_todays_is_refunded_in_coins(grace):
    invoice = paid(option__invoice__currency="EUR")
    page = grace.get(draft_path(invoice)).content.decode()
    assert "at today" not in page
    assert "today worth" not in page
    assert grace.post(draft_path(invoice), {"network": "BTC", "unit": "fiat", "amount": "20", "reason": "a scratch"}).status_code == 400


def test_more_decimals_than_the_currency_has_are_refused(grace):
    answer = grace.post(draft_path(paid()), {"network": "BTC", "unit": "fiat", "amount": "1.001", "reason": "a scratch"})
    assert "more decimals" in answer.content.decode()


def test_over_lightning_only_whole_satoshis_go_back(grace):
    answer = grace.post(draft_path(paid()), {"network": "BTC-LN", "unit": "coins", "amount": "0.00100000001", "reason": "a scratch"})
    assert "whole satoshis" in answer.content.decode()
    assert not Payout.objects.exists()


def test_a_draft_needs_a_reason(grace):
    assert grace.post(draft_path(paid()), {"network": "BTC", "unit": "coins", "amount": "0.001"}).status_code == 400


def test_a_kind_that_does_not_exist_is_not_found(grace):
    assert grace.get(draft_path(paid(), "present")).status_code == 404


def test_without_money_there_is_nothing_to_draft(grace):
    page = grace.get(draft_path(PaymentFactory(status="seen").invoice), follow=True)
    assert "no settled money" in page.content.decode()


@pytest.mark.parametrize(
    ("status", "amount", "shown"),
    [
        ("settled", DUE, {"refund"}),
        ("settled", DUE * 2, {"excess", "refund"}),
        *((status, DUE // 2, {"late"}) for status in ("expired", "cancelled", "invalid")),
        *((status, DUE // 2, set()) for status in ("new", "processing")),
    ],
)
def test_the_invoice_shows_only_the_buttons_that_fit(grace, status, amount, shown):
    invoice = paid(status, amount_base=amount)
    page = grace.get(f"/admin/payments/invoice/{invoice.pk}/change/").content.decode()
    assert {kind for kind in ("excess", "late", "refund") if draft_path(invoice, kind) in page} == shown


def test_an_invoice_whose_money_went_back_shows_no_button(grace):
    payout = payout_of(status="sent")
    assert "/payout/draft/" not in grace.get(f"/admin/payments/invoice/{payout.invoice_id}/change/").content.decode()


# --- Acts ---------------------------------------------------------------------------------------------------------------------


def test_lists_and_pages_open(grace):
    payout = payout_of()
    assert grace.get("/admin/payments/payout/").status_code == 200
    assert payout.destination in grace.get(page_of(payout)).content.decode()


@pytest.mark.parametrize(
    ("status", "more", "shown"),
    [
        ("draft", {}, {"destination", "approve", "withdraw"}),
        ("draft", {"destination": ""}, {"destination", "withdraw"}),
        ("draft", {"approved_by": "ada"}, {"approve", "withdraw"}),
        ("approved", {}, {"again", "hand", "withdraw"}),
        ("approved", {"psbt": "cHNidP8="}, {"sign", "hand", "withdraw"}),
        ("sending", {}, {"again"}),
        ("unknown", {}, {"again"}),
        ("failed", {}, {"hand"}),
        ("sent", {}, set()),
        ("withdrawn", {}, set()),
    ],
)
def test_a_payout_shows_only_the_acts_that_fit(grace, status, more, shown):
    payout = payout_of(status=status, **more)
    page = grace.get(page_of(payout)).content.decode()
    assert {name for name in ACTIONS if act_path(payout, name) in page} == shown


def test_staff_say_where_to(grace):
    payout = payout_of(destination="")
    press(grace, payout, "destination", destination=HOME)
    assert Payout.objects.get().destination == HOME


def test_an_address_that_is_none_stays_in_the_form(grace):
    payout = payout_of(destination="")
    answer = press(grace, payout, "destination", destination="no address!")
    assert answer.status_code == 400
    assert "no address!" in answer.content.decode()
    assert Payout.objects.get().destination == ""


def test_one_person_agrees_to_little(grace):
    payout = payout_of()
    page = press(grace, payout, "approve").content.decode()
    payout.refresh_from_db()
    assert "You approved this payout." in page
    assert payout.approved_by == "grace"
    assert payout.status in ("approved", "sent")


def test_two_people_agree_to_much(grace, settings):
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


def test_who_is_asked_to_agree_sees_its_worth_of_now(grace, settings):
    payout = payout_of(created_by="buyer")
    settings.FIXED_RATES = {"BTC": Decimal("60000.00")}
    page = grace.get(act_path(payout, "approve")).content.decode()
    assert "120.00 USD" in page
    assert "needs two people" in page


def test_who_looked_at_another_address_agrees_to_nothing(grace):
    payout = payout_of()
    seen = grace.get(act_path(payout, "approve")).context["form"]["version"].value()
    set_destination(payout.pk, "bcrt1qthief000000000", actor="buyer", at=NOW)

    page = grace.post(act_path(payout, "approve"), {"version": seen}, follow=True).content.decode()

    assert "changed since you looked" in page
    assert Payout.objects.get().status == "draft"


def test_an_agreement_that_saw_nothing_is_none(grace):
    payout = payout_of()
    assert grace.post(act_path(payout, "approve")).status_code == 400
    assert Payout.objects.get().status == "draft"


def test_what_was_withdrawn_stands_in_the_history(grace):
    payout = payout_of()
    assert press(grace, payout, "withdraw", reason=" ").status_code == 400
    press(grace, payout, "withdraw", reason="a slip")
    event = Event.objects.filter(subject_id=payout.pk).latest("seq")
    assert (Payout.objects.get().status, event.actor, event.data["reason"]) == ("withdrawn", "grace", "a slip")
    assert "a slip" in grace.get(page_of(payout)).content.decode()


def test_what_was_sent_by_hand_is_recorded(grace):
    payout = payout_of(status="failed")
    press(grace, payout, "hand", reason="from the safe", reference="ab" * 32)
    payout.refresh_from_db()
    assert (payout.status, payout.reference) == ("sent", "ab" * 32)


def test_one_transaction_is_not_recorded_twice(grace):
    payout_of(status="sent", reference="ab" * 32)
    payout = payout_of(status="failed")
    page = press(grace, payout, "hand", reason="from the safe", reference="ab" * 32).content.decode()
    payout.refresh_from_db()
    assert "already recorded for another payout" in page
    assert payout.status == "failed"


def test_what_cannot_be_tried_again_is_refused(grace):
    assert "nothing to try again" in press(grace, payout_of(status="sent"), "again").content.decode()


def test_what_waits_is_tried_again_at_once(grace):
    payout = payout_of(status="unknown")
    page = press(grace, payout, "again").content.decode()
    event = Event.objects.filter(subject_id=payout.pk).earliest("seq")
    assert (event.type, event.actor) == ("payout.try_again", "grace")
    assert "payout.try_again" in page


RAW = f"0200000001{'ab' * 32}0700000000fdffffff01e803000000000000160014{'00' * 20}00000000"
"""It spends the output 7 of the transaction abab…."""


@pytest.mark.parametrize(
    ("network", "status", "is_shown"),
    [("BTC", "unknown", True), ("LTC", "unknown", True), ("BTC-LN", "unknown", False), ("BTC", "sending", False), ("BTC", "sent", False)],
)
def test_what_no_node_takes_says_how_it_is_given_up(grace, network, status, is_shown):
    payout = payout_of(status=status, network=network, psbt=RAW, next_try_at=NOW, error="too low a fee")
    page = grace.get(page_of(payout)).content.decode()
    assert (f"{'ab' * 32}:7" in page, "6 blocks deep" in page) == (is_shown, is_shown)
    assert "too low a fee" in page


@pytest.mark.parametrize("raw", ["", "0200zz", "00", "cHNidP8="])
def test_what_only_a_node_can_read_says_so_in_words(grace, raw):
    page = grace.get(page_of(payout_of(status="unknown", psbt=raw))).content.decode()
    assert "send a coin that it spends" in page


# --- Signing ------------------------------------------------------------------------------------------------------------------


def test_the_transaction_is_downloaded(grace):
    payout = payout_of(status="approved", psbt=base64.b64encode(b"psbt\xff what").decode())
    answer = grace.get(f"/admin/payments/payout/{payout.pk}/psbt/")
    assert answer.content == b"psbt\xff what"
    assert "no-store" in answer["Cache-Control"]
    assert f"payout-{payout.pk}.psbt" in answer["Content-Disposition"]


@pytest.mark.parametrize(
    ("status", "psbt"), [("approved", ""), ("sending", "cHNidP8="), ("withdrawn", "cHNidP8="), ("approved", "0200zz not base64")]
)
def test_without_a_transaction_to_sign_there_is_none(grace, status, psbt):
    payout = payout_of(status=status, psbt=psbt)
    assert grace.get(f"/admin/payments/payout/{payout.pk}/psbt/").status_code == 404


def test_the_form_without_a_file_says_what_to_do(grace):
    payout = payout_of(status="approved", psbt="cHNidP8=")
    answer = grace.post(act_path(payout, "sign"))
    assert answer.status_code == 400
    assert "Choose the file" in answer.content.decode()


def test_a_file_that_is_far_too_large_is_refused(grace):
    payout = payout_of(status="approved", psbt="cHNidP8=")
    answer = grace.post(act_path(payout, "sign"), {"file": SimpleUploadedFile("a.psbt", b"x" * 1_000_001)})
    assert "too large" in answer.content.decode()


def test_a_payout_that_waits_for_no_signature_takes_none(grace):
    payout = payout_of(status="sending")
    page = press(grace, payout, "sign", text="cHNidP8=").content.decode()
    assert "not waiting for a signature" in page
    assert Payout.objects.get().version == 1


def test_an_act_that_does_not_exist_is_not_found(grace):
    assert grace.get(act_path(payout_of(), "steal")).status_code == 404


# --- When an action is refused ---------------------------------------------------------------------------------------------------


def test_a_refused_action_shows_its_page_again_with_what_was_typed(grace):
    payout_of(status="sent", reference="ab" * 32)
    answer = press(grace, payout_of(status="failed"), "hand", reason="from the safe", reference="ab" * 32)
    shown = {field.name: field.value() for field in answer.context["form"]}
    assert (answer.status_code, shown) == (409, {"reason": "from the safe", "reference": "ab" * 32})


def test_an_approval_of_an_old_version_is_asked_for_again_with_the_new_destination_and_version(grace):
    payout = payout_of()
    set_destination(payout.pk, "bcrt1qthief000000000", actor="buyer", at=NOW)

    answer = grace.post(act_path(payout, "approve"), {"version": payout.version})

    assert answer.status_code == 409
    assert "bcrt1qthief000000000" in answer.content.decode()
    assert answer.context["form"]["version"].value() == payout.version + 1
    assert 'role="alert"' in answer.content.decode()


def test_the_page_puts_the_keyboard_into_its_first_field_and_leads_back(grace):
    payout = payout_of(status="failed")
    page = grace.get(act_path(payout, "hand")).content.decode()
    assert page.count("autofocus") == 1
    assert f'<a class="closelink" href="{page_of(payout)}">' in page
