"""Forgotten passwords, verified and changed email addresses, over the API."""

import pytest

from accounts.recovery import answer_link_requests
from accounts.tests.factories import PASSWORD, ApiClient, UserFactory
from accounts.tests.links import key_in, last_mail
from cryptons.mail.models import Mail

pytestmark = pytest.mark.django_db

OLD, NEW = "ada@example.com", "ada@example.org"


@pytest.fixture
def ada():
    return UserFactory(username="ada", email=OLD)


@pytest.fixture
def api():
    return ApiClient()


def change(api, **body):
    return api.put("/api/auth/email", body, content_type="application/json")


def verify(api, ada):
    api.post("/api/auth/verify-email", {"email": OLD})
    answer_link_requests()
    return api.post("/api/auth/verify-email/confirm", {"key": key_in(last_mail(OLD))})


def test_a_forgotten_password_is_replaced_once(api, ada):
    answers = [api.post("/api/auth/password-reset", {"email": email}) for email in (OLD.upper(), "nobody@example.com")]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    answer_link_requests()
    key = key_in(last_mail(OLD))

    weak = api.post("/api/auth/password-reset/confirm", {"key": key, "newPassword": "ada@example"})
    done = api.post("/api/auth/password-reset/confirm", {"key": key, "newPassword": "another long horse"})
    again = api.post("/api/auth/password-reset/confirm", {"key": key, "newPassword": "a third long horse"})

    assert [row["field"] for row in weak.json()["error"]["details"]] == ["newPassword"]
    assert (done.status_code, done.json()["data"]) == (200, {"passwordChanged": True})
    assert (again.status_code, again.json()["error"]["details"][0]["field"]) == (400, "key")
    assert api.post("/api/auth/login", {"email": OLD, "password": "another long horse"}).status_code == 200


def test_an_address_is_verified_with_the_key_of_the_mail(api, ada):
    mine = ApiClient(ada)
    assert mine.get("/api/auth/profile").json()["data"]["emailVerified"] is False

    assert verify(api, ada).json()["data"] == {"email": OLD, "emailVerified": True}

    assert mine.get("/api/auth/profile").json()["data"]["emailVerified"] is True
    before = Mail.objects.count()
    assert api.post("/api/auth/verify-email", {"email": OLD}).status_code == 202
    answer_link_requests()
    assert Mail.objects.count() == before


def test_an_address_is_changed_and_the_change_undone(api, ada):
    verify(api, ada)
    assert change(api, email=NEW, currentPassword=PASSWORD).status_code == 401
    wrong = change(ApiClient(ada), email=NEW, currentPassword="wrong")
    assert wrong.json()["error"]["details"][0]["field"] == "currentPassword"
    assert change(ApiClient(ada), email=NEW, currentPassword=PASSWORD).status_code == 202

    changed = api.post("/api/auth/email/confirm", {"key": key_in(last_mail(NEW))})
    assert changed.json()["data"] == {"email": NEW, "emailVerified": True}
    undone = api.post("/api/auth/email/undo", {"key": key_in(last_mail(OLD)), "newPassword": "another long horse"})

    assert undone.status_code == 200
    ada.refresh_from_db()
    assert ada.email == OLD


def test_a_key_does_only_what_it_was_mailed_for(api, ada):
    api.post("/api/auth/password-reset", {"email": OLD})
    answer_link_requests()
    key = key_in(last_mail(OLD))

    for path in ("verify-email/confirm", "email/confirm"):
        assert api.post(f"/api/auth/{path}", {"key": key}).status_code == 400
    assert api.post("/api/auth/email/undo", {"key": key, "newPassword": "another long horse"}).status_code == 400


def test_links_are_limited_for_each_recipient(api, ada, settings):
    settings.RATE_LIMIT_ACCOUNT_MAILS = "1/hour"
    statuses = [api.post(f"/api/auth/{path}", {"email": OLD}).status_code for path in ("password-reset", "verify-email")]
    assert statuses == [202, 429]
