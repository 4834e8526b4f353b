"""Who forgot the password is back in with the link of one mail; nobody learns from it who has an account."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.devices import notice_login
from accounts.links import Kind, LinkOver, read_link
from accounts.models import AccountLink, LinkRequest, SecondFactor, User
from accounts.one_time_codes import STEP_SECONDS, code_at
from accounts.recovery import answer_link_requests, request_link, set_new_password
from accounts.registration import change_password
from accounts.tasks import forget_old_links
from accounts.tests.factories import PASSWORD, ApiClient, UserFactory
from accounts.tests.links import key_in, last_mail, link_in
from cryptons.log_redaction import without_keys
from cryptons.mail.models import Mail

pytestmark = pytest.mark.django_db

NEW = "another long horse"


@pytest.fixture
def ada():
    return UserFactory(username="ada", email="ada@example.com")


def ask(client, email="ada@example.com", page="/account/forgotten/"):
    answer = client.post(page, {"email": email})
    answer_link_requests()
    return answer


@pytest.fixture
def key(ada):
    request_link(Kind.RESET, ada.email)
    answer_link_requests()
    return key_in(last_mail(ada.email))


def is_good(key):
    try:
        read_link(key, at=timezone.now())
    except LinkOver:
        return False
    return True


def test_a_forgotten_password_is_replaced_on_another_device_by_the_link_of_one_mail(client, ada):
    thief, token = type(client)(), ApiClient(ada)
    thief.force_login(ada)
    assert b'href="/account/forgotten/"' in client.get("/account/login/").content
    assert ask(client, "Ada@Example.com")["Location"] == "/account/forgotten/sent/"

    phone = type(client)()
    opened = phone.get(link_in(last_mail(ada.email)))
    assert (opened.status_code, opened["Location"]) == (302, "/account/link/")
    page = phone.get("/account/link/")
    assert b"ada@example.com" in page.content
    assert phone.post("/account/link/", {"new": "short"}).status_code == 400
    assert phone.post("/account/link/", {"new": NEW})["Location"] == "/account/"

    assert b"Your new password is set." in phone.get("/account/").content
    assert client.post("/account/login/", {"name": "ada", "password": NEW}).status_code == 302
    assert thief.get("/account/").status_code == 302
    assert token.get("/api/auth/profile").status_code == 401
    ada.refresh_from_db()
    assert ada.has_verified_email
    assert [mail.subject for mail in Mail.objects.order_by("created_at")] == [
        "A new password for Cryptons",
        "Your password at Cryptons was changed",
    ]


def test_the_login_of_the_admin_leads_to_the_forgotten_password(client):
    assert b'href="/account/forgotten/"' in client.get("/admin/login/", follow=True).content


def test_the_answer_and_the_work_are_the_same_for_an_address_without_an_account(client, ada):
    UserFactory(email="closed@example.com", is_active=False)
    answers, queries = [], []
    for email in ("ada@example.com", "nobody@example.com", "closed@example.com"):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            answer = client.post("/account/forgotten/", {"email": email})
        answers.append((answer.status_code, answer["Location"], answer.content))
        queries.append(len(captured))

    assert answers[0] == answers[1] == answers[2]
    assert queries[0] == queries[1] == queries[2]
    answer_link_requests()
    assert [mail.to for mail in Mail.objects.all()] == ["ada@example.com"]
    assert not LinkRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_uses_of_a_link_at_once_one_wins(ada, key):
    first, second = read_link(key, at=timezone.now()), read_link(key, at=timezone.now())

    set_new_password(second, NEW)
    with pytest.raises(LinkOver):
        set_new_password(first, "a third long horse")

    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert not is_good(key)


@pytest.mark.django_db(transaction=True)
def test_a_password_that_changes_while_the_link_is_used_ends_it(ada, key):
    link = read_link(key, at=timezone.now())
    change_password(RequestFactory().post("/"), ada, PASSWORD, "a third long horse")

    with pytest.raises(LinkOver):
        set_new_password(link, NEW)

    ada.refresh_from_db()
    assert ada.check_password("a third long horse")


def _set_password(user):
    user.set_password(NEW)
    user.save()


def _set_email(user):
    user.email = "other@example.com"
    user.save()


def _close(user):
    user.is_active = False
    user.save()


def _ask_again(user):
    request_link(Kind.RESET, user.email)
    answer_link_requests()


def _wait(user):
    AccountLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("act", [_set_password, _set_email, _close, _ask_again, _wait])
def test_a_link_ends_with_what_it_was_for(ada, key, act):
    assert is_good(key)
    act(ada)
    assert not is_good(key)


@pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key.swapcase(), lambda key: "x", lambda key: key.partition(".")[0]])
def test_a_changed_link_opens_nothing(client, ada, key, change):
    answer = client.get(f"/account/link/{change(key)}/")

    assert answer.status_code == 404
    assert b"no longer valid" in answer.content
    assert not client.session.keys()
    assert client.get("/account/link/").status_code == 404


def test_programs_that_open_the_links_of_mails_use_nothing_up(client, ada, key):
    assert client.get(f"/account/link/{key}/").status_code == 302
    assert client.head(f"/account/link/{key}/").status_code == 302
    assert client.get("/account/link/").status_code == 200
    assert is_good(key)


def test_the_key_of_a_link_reaches_no_other_site_log_cache_or_member_of_staff(client, ada, key):
    for answer in (client.get(f"/account/link/{key}/"), client.get("/account/link/")):
        assert answer["Referrer-Policy"] == "same-origin"
        assert "no-store" in answer["Cache-Control"]
        assert key.encode() not in answer.content
    mail = last_mail(ada.email)
    assert key in mail.text
    assert key[:16] not in without_keys(mail.text) + without_keys(mail.html)
    assert without_keys(f"GET /de/account/link/{key}/") == "GET /de/account/link/…/"


def test_links_are_limited_for_each_recipient_whether_or_not_there_is_an_account(client, ada, settings):
    settings.RATE_LIMIT_AUTH, settings.RATE_LIMIT_ACCOUNT_MAILS = "100/minute", "2/hour"
    for email in ("ada@example.com", "nobody@example.com"):
        assert [ask(client, email.swapcase()).status_code for _ in range(3)] == [302, 302, 429]
    assert Mail.objects.count() == 2


def test_links_are_limited_for_each_client_apart_from_logins(client, ada, settings):
    settings.RATE_LIMIT_AUTH = "2/15minutes"
    for _ in range(3):
        client.post("/account/login/", {"name": "ada", "password": "wrong"})

    answers = [client.post("/account/forgotten/", {"email": f"buyer{number}@example.com"}) for number in range(3)]

    assert [answer.status_code for answer in answers] == [302, 302, 429]
    assert answers[-1]["Retry-After"]


def test_the_mail_and_its_link_are_in_the_language_of_the_page(client, ada, settings):
    assert ask(client, page="/de/account/forgotten/")["Location"] == "/de/account/forgotten/sent/"
    assert link_in(last_mail(ada.email)).startswith("/de/account/link/")


def test_an_account_without_a_password_gets_no_link(client, ada):
    ada.set_unusable_password()
    ada.save()
    ask(client)
    assert not Mail.objects.exists()


def test_a_new_password_makes_every_device_new(client, rf, ada, key):
    notice_login(rf.get("/"), ada, is_expected=True)

    set_new_password(read_link(key, at=timezone.now()), NEW)

    assert not ada.known_devices.exists()


def test_a_new_password_does_not_replace_the_second_factor(client, ada, key):
    User.objects.update(has_second_factor=True)
    client.get(f"/account/link/{key}/")

    assert client.post("/account/link/", {"new": NEW})["Location"] == "/account/login/code/"

    assert client.get("/account/").status_code == 302
    assert client.post("/account/login/", {"name": "ada", "password": NEW})["Location"] == "/account/login/code/"


def test_a_device_is_known_only_after_the_code_as_well(client, ada, key):
    SecondFactor.objects.create(user=ada, secret="A" * 32, confirmed_at=timezone.now())
    User.objects.update(has_second_factor=True)
    client.get(f"/account/link/{key}/")

    client.post("/account/link/", {"new": NEW})
    assert not ada.known_devices.exists()
    code = code_at("A" * 32, int(time.time()) // STEP_SECONDS)
    assert client.post("/account/login/code/", {"code": code})["Location"] == "/account/"

    assert ada.known_devices.exists()
    assert not Mail.objects.filter(subject__startswith="New login").exists()


def test_who_tried_too_often_is_back_in_with_the_link(client, ada, key, settings):
    settings.RATE_LIMIT_AUTH = "1/15minutes"
    for _ in range(2):
        answer = client.post("/account/login/", {"name": "ada", "password": "wrong"})
    assert answer.status_code == 429

    client.get(f"/account/link/{key}/")
    client.post("/account/link/", {"new": NEW})

    assert client.get("/account/").status_code == 200


def test_old_links_are_forgotten(ada, key):
    _wait(ada)
    forget_old_links()
    assert not AccountLink.objects.exists()
