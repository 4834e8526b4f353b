"""Each permission that the pages about payouts need, tried by a person who lacks it."""

import base64

import pytest
from django.test import Client

from accounts.tests.factories import StaffFactory, UserFactory
from payments.admin.payout_actions import ACTIONS
from payments.admin.tests.payout_pages import HOME, act_path, browser_of, draft_path, page_of, paid, payout_of, staff_who_may
from payments.models import Payout

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]


@pytest.mark.parametrize("name", ACTIONS)
def test_staff_without_change_permission_can_do_no_payout_action(name):
    browser, payout = staff_who_may("view_payout", "add_payout", "view_invoice"), payout_of()
    assert browser.get(act_path(payout, name)).status_code == 403
    assert browser.post(act_path(payout, name), {"reason": "x", "version": 1, "destination": HOME}).status_code == 403
    assert Payout.objects.get().version == 1


def test_staff_without_change_permission_cannot_download_the_transaction_to_sign():
    payout = payout_of(status="approved", psbt=base64.b64encode(b"psbt\xff").decode())
    assert staff_who_may("view_payout", "add_payout").get(f"/admin/payments/payout/{payout.pk}/psbt/").status_code == 403


def test_staff_without_change_permission_see_no_action_buttons():
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
def test_an_invoice_page_shows_only_the_buttons_that_the_permission_allows(permission, may_decide, may_draft):
    browser, invoice = staff_who_may("view_invoice", permission), paid("expired")
    page = browser.get(f"/admin/payments/invoice/{invoice.pk}/change/").content.decode()
    assert (f"/invoice/{invoice.pk}/decide/" in page, draft_path(invoice, "late") in page) == (may_decide, may_draft)
    assert browser.get(f"/admin/payments/invoice/{invoice.pk}/decide/accept/").status_code == (200 if may_decide else 403)
    assert browser.get(draft_path(invoice, "late")).status_code == (200 if may_draft else 403)
    assert "Ask the node now" in page


def test_drafting_without_permission_to_view_payouts_returns_to_the_invoice():
    browser, invoice = staff_who_may("view_invoice", "add_payout"), paid()
    answer = browser.post(draft_path(invoice), {"network": "BTC", "unit": "coins", "amount": "0.0005", "reason": "a scratch"}, follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == f"/admin/payments/invoice/{invoice.pk}/change/"


def test_permission_to_change_payouts_does_not_allow_drafting_one():
    browser, invoice = staff_who_may("view_payout", "change_payout", "view_invoice"), paid()
    assert browser.get(draft_path(invoice)).status_code == 403
    assert browser.post(draft_path(invoice), {"network": "BTC", "unit": "coins", "amount": "0.001", "reason": "x"}).status_code == 403
    assert not Payout.objects.exists()


def test_staff_without_view_permission_see_no_payouts():
    browser, payout = staff_who_may("view_invoice"), payout_of()
    assert browser.get("/admin/payments/payout/").status_code == 403
    assert browser.get(page_of(payout)).status_code == 403


@pytest.mark.parametrize("path", ["/admin/payments/payout/", "act", "draft", "psbt"])
def test_a_buyer_is_sent_to_the_admin_login(path):
    payout = payout_of(status="approved", psbt="cHNidP8=")
    paths = {"act": act_path(payout, "approve"), "draft": draft_path(payout.invoice), "psbt": f"/admin/payments/payout/{payout.pk}/psbt/"}
    answer = browser_of(UserFactory()).get(paths.get(path, path))
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/admin/login/")


def test_a_superuser_cannot_add_delete_or_edit_a_payout_directly(grace):
    payout = payout_of()
    assert grace.get("/admin/payments/payout/add/").status_code == 403
    assert grace.post(f"/admin/payments/payout/{payout.pk}/delete/", {"post": "yes"}).status_code == 403
    assert grace.post(page_of(payout), {"amount_base": "1"}).status_code == 403


def test_an_approval_without_a_csrf_token_is_refused():
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(StaffFactory())
    payout = payout_of()
    assert browser.post(act_path(payout, "approve"), {"version": 1}).status_code == 403
    assert Payout.objects.get().status == "draft"
