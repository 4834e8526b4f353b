"""Staff download the transaction of a payout, and upload it signed."""

import base64

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from payments.admin.tests.payout_pages import act_path, payout_of, press
from payments.models import Payout

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]


def test_the_transaction_to_sign_can_be_downloaded(grace):
    payout = payout_of(status="approved", psbt=base64.b64encode(b"psbt\xff what").decode())
    answer = grace.get(f"/admin/payments/payout/{payout.pk}/psbt/")
    assert answer.content == b"psbt\xff what"
    assert "no-store" in answer["Cache-Control"]
    assert f"payout-{payout.pk}.psbt" in answer["Content-Disposition"]


@pytest.mark.parametrize(
    ("status", "psbt"), [("approved", ""), ("sending", "cHNidP8="), ("withdrawn", "cHNidP8="), ("approved", "0200zz not base64")]
)
def test_a_payout_without_a_transaction_to_sign_has_no_download(grace, status, psbt):
    payout = payout_of(status=status, psbt=psbt)
    assert grace.get(f"/admin/payments/payout/{payout.pk}/psbt/").status_code == 404


def test_the_signing_form_without_a_file_asks_for_one(grace):
    payout = payout_of(status="approved", psbt="cHNidP8=")
    answer = grace.post(act_path(payout, "sign"))
    assert answer.status_code == 400
    assert "Choose the file" in answer.content.decode()


def test_a_signed_file_that_is_too_large_is_refused(grace):
    payout = payout_of(status="approved", psbt="cHNidP8=")
    answer = grace.post(act_path(payout, "sign"), {"file": SimpleUploadedFile("a.psbt", b"x" * 1_000_001)})
    assert "too large" in answer.content.decode()


def test_a_signed_file_that_was_refused_is_kept_as_its_text(grace):
    payout = payout_of(status="sending")
    answer = grace.post(act_path(payout, "sign"), {"file": SimpleUploadedFile("a.psbt", b"psbt\xff signed")})
    assert answer.status_code == 409
    assert base64.b64encode(b"psbt\xff signed").decode() in answer.text


def test_a_payout_that_is_not_waiting_for_a_signature_refuses_one(grace):
    payout = payout_of(status="sending")
    page = press(grace, payout, "sign", text="cHNidP8=").content.decode()
    assert "not waiting for a signature" in page
    assert Payout.objects.get().version == 1
