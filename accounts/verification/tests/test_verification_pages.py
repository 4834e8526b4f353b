"""What buyers and staff do about a verification, and what is left of it."""

import io
import os
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from accounts.tests.factories import StaffFactory, UserFactory
from accounts.verification import decisions, sumsub
from accounts.verification.decisions import decide
from accounts.verification.models import Document, Verification
from accounts.verification.tasks import erase_verification_data
from accounts.verification.tests.fake_sumsub import digest, event, fake_sumsub, use
from cryptons.audit.models import Entry
from cryptons.circuit_breaker import CircuitBreaker
from cryptons.mail.models import Mail

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/account/verification/"
PDF = b"%PDF-1.7 <script>alert(1)</script> %%EOF"
Status = Verification.Status


@pytest.fixture
def user():
    return UserFactory()


def send(client, user, **files):
    client.force_login(user)
    return client.post(PAGE, {kind: SimpleUploadedFile("passport.jpg", content) for kind, content in files.items()})


def staff(*rights):
    person = StaffFactory(is_superuser=False)
    person.user_permissions.set(Permission.objects.filter(content_type__app_label="verification", codename__in=rights))
    return person


def actions():
    return list(Entry.objects.exclude(action__in=("login", "change", "add")).order_by("at", "id").values_list("action", flat=True))


def test_guests_are_asked_to_log_in_and_without_the_setting_there_is_no_page(client, user, by_hand, settings):
    assert client.get(PAGE).headers["Location"] == f"/account/login/?next={PAGE}"

    settings.VERIFICATION_PROVIDER = "off"
    client.force_login(user)
    assert client.get(PAGE).status_code == 404


def test_a_buyer_sends_documents_staff_look_and_decide(client, user, by_hand, settings, photo):
    settings.STAFF_EMAIL = ["grace@example.com"]
    assert send(client, user, back=photo).status_code == 400
    assert send(client, user, front=b"<svg/>").status_code == 400
    assert not Document.objects.exists()

    assert send(client, user, front=photo, address=PDF).headers["Location"] == PAGE
    send(client, user, front=photo)  # pressed twice

    row = Verification.objects.get()
    assert (row.status, Document.objects.count()) == (Status.PENDING, 2)
    client.force_login(staff("view_verification", "change_verification", "view_document"))
    page = client.get(reverse("admin:verification_verification_change", args=[row.pk]))
    picture, pdf = (client.get(_path(row, kind)) for kind in ("front", "address"))
    assert _path(row, "front") in page.text
    assert (picture.content, pdf.content) == (photo, PDF)
    assert picture.headers["Content-Disposition"].startswith("inline;")
    assert pdf.headers["Content-Disposition"].startswith("attachment;")
    assert all("no-store" in answer.headers["Cache-Control"] for answer in (picture, pdf))
    assert all("sandbox" in answer.headers["Content-Security-Policy"] for answer in (picture, pdf))

    path = reverse("admin:verification_verification_act", args=[row.pk, "reject"])
    assert client.post(path, {"reason": "The photo is blurred.", "version": row.version - 1}).status_code == 409
    assert client.post(path, {"reason": "The photo is blurred.", "version": row.version}).status_code == 302

    row.refresh_from_db()
    assert (row.status, row.reason) == (Status.REJECTED, "The photo is blurred.")
    assert [mail.subject for mail in Mail.objects.order_by("created_at")] == [
        "Documents wait for a decision",
        "Your identity could not be verified at Cryptons",
    ]
    assert "The photo is blurred." in Mail.objects.get(to=user.email).text
    assert actions() == ["send documents", *["look at document"] * 2, "verification rejected"]
    client.force_login(user)
    assert "The photo is blurred." in client.get(PAGE).text


def _path(row, kind):
    return reverse("admin:verification_verification_document", args=[row.pk, row.documents.get(kind=kind).pk])


def test_no_document_is_written_to_the_disk_before_it_is_encrypted(client, user, by_hand, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a file outside of the memory")

    monkeypatch.setattr("django.core.files.uploadhandler.TemporaryUploadedFile", refuse)
    data = io.BytesIO()
    Image.effect_noise((1800, 1800), 90).save(data, "PNG")

    assert len(data.getvalue()) > 2_700_000
    assert send(client, user, front=data.getvalue()).status_code == 302
    assert Document.objects.get().size == len(data.getvalue())


def test_documents_are_taken_only_with_the_token_of_the_form(user, by_hand, photo):
    client = Client(enforce_csrf_checks=True)

    assert send(client, user, front=photo).status_code == 403
    assert not Document.objects.exists()


def test_who_may_see_verifications_may_not_therefore_see_documents_or_decide(client, user, by_hand, photo):
    send(client, user, front=photo)
    row = Verification.objects.get()
    client.force_login(staff("view_verification"))
    page, document = reverse("admin:verification_verification_change", args=[row.pk]), _path(row, "front")

    shown = client.get(page)

    assert (shown.status_code, document in shown.text, "/do/" in shown.text) == (200, False, False)
    assert client.get(document).status_code == 403
    path = reverse("admin:verification_verification_act", args=[row.pk, "approve"])
    assert client.post(path, {"version": row.version}).status_code == 403
    assert Verification.objects.get().status == Status.PENDING
    assert "look at document" not in actions()


def test_documents_go_after_their_time_and_with_the_account(client, user, by_hand, settings, photo):
    other = UserFactory()
    for buyer in (user, other):
        send(client, buyer, front=photo)
    orphan = settings.VERIFICATION_DIR / "orphan"
    orphan.write_text("of a process that died")
    os.utime(orphan, (0, 0))
    user.verification.documents.update(added_at=timezone.now() - timedelta(days=31))

    erase_verification_data()

    assert [row.status for row in (Verification.objects.get(user=user), Verification.objects.get(user=other))] == ["rejected", "pending"]
    left = Document.objects.get()
    assert [file.name for file in settings.VERIFICATION_DIR.iterdir()] == [str(left.pk)]
    assert "send them again" in Mail.objects.get(to=user.email).text

    other.delete()
    assert (list(settings.VERIFICATION_DIR.iterdir()), Verification.objects.filter(user=user.pk).count()) == ([], 1)


def test_documents_that_cannot_be_erased_do_not_keep_those_of_others(client, user, by_hand, photo, monkeypatch):
    for buyer in (user, UserFactory()):
        send(client, buyer, front=photo)
    Document.objects.update(added_at=timezone.now() - timedelta(days=31))
    stuck, erase = user.verification.pk, decisions._erase

    def fail_for_one(verification_id, *, at):
        if verification_id == stuck:
            raise OSError("The disk is read-only.")
        erase(verification_id, at=at)

    monkeypatch.setattr(decisions, "_erase", fail_for_one)

    erase_verification_data()

    assert list(Document.objects.values_list("verification", flat=True)) == [stuck]


def test_sumsub_gets_the_buyer_and_its_signed_answers_decide_in_their_order(client, user, settings, monkeypatch):
    monkeypatch.setattr(sumsub, "circuit", CircuitBreaker(rest_seconds=60))
    client.force_login(user)
    with fake_sumsub() as server:
        use(settings, server)
        assert f'href="https://in.sumsub.example/websdk/p/{user.pk}"' in client.post(PAGE).text

    def report(body, headers=None):
        answer = client.post("/api/webhooks/sumsub", body, "application/json", headers=headers or digest(body))
        row = Verification.objects.get(user=user)
        return answer.status_code, row.status, row.reason

    green = event(user.pk, "10:00:00.500")
    retry = {"reviewRejectType": "RETRY", "moderationComment": "The photo is blurred."}
    assert report(green, digest(b"another body")) == (401, "open", "")
    assert report(event(user.pk, "09:00:00.000", applicantId="somebody else")) == (200, "open", "")
    assert report(event("nobody", "09:00:00.000")) == (200, "open", "")
    assert report(b"[]") == (400, "open", "")
    assert report(green) == (200, "approved", "")
    assert report(event(user.pk, "11:00:00.500", "RED", result=retry)) == (200, "rejected", "The photo is blurred.")
    assert report(green) == (200, "rejected", "The photo is blurred.")
    assert report(event(user.pk, "11:00:00.400")) == (200, "rejected", "The photo is blurred.")
    assert report(event(user.pk, "12:00:00.000", "RED", result={"reviewRejectType": "FINAL"})) == (200, "refused", "")
    assert actions() == ["verification approved", "verification rejected", "verification refused"]
    assert Mail.objects.count() == 3
    settings.VERIFICATION_PROVIDER = "manual"
    assert report(green)[0] == 404


def test_no_answer_of_sumsub_lifts_what_staff_refused_for_good(client, user, settings):
    use(settings)
    row = Verification.objects.create(user=user, provider="sumsub", applicant_id="applicant0", status=Status.REJECTED)
    decide(row.pk, Status.REFUSED, reason="Forged.", by="grace", at=timezone.now())
    green = event(user.pk, "10:00:00.500")

    assert client.post("/api/webhooks/sumsub", green, "application/json", headers=digest(green)).status_code == 200

    row.refresh_from_db()
    assert (row.status, row.reason, row.decided_by) == (Status.REFUSED, "Forged.", "grace")


def test_while_the_provider_is_away_the_page_says_so(client, user, settings, monkeypatch):
    monkeypatch.setattr(sumsub, "circuit", CircuitBreaker(rest_seconds=60))
    use(settings)
    client.force_login(user)

    answer = client.post(PAGE)

    assert answer.status_code == 503
    assert "cannot be reached right now. Please try again in a few minutes." in answer.text
    assert Verification.objects.get().status == Status.OPEN
