"""An email address is proven by a link, and another one counts only once it is."""

import time

import pytest
from django.test import RequestFactory
from django.utils import timezone

from accounts.api_keys import make_key
from accounts.email_address import ask_to_change_email, change_email, send_verification, verify_email
from accounts.links import LinkOver, read_link
from accounts.models import ApiKey, RecoveryCode, SecondFactor, User
from accounts.one_time_codes import STEP_SECONDS, code_at
from accounts.recovery import set_new_password
from accounts.registration import Taken, register
from accounts.second_factor import begin, confirm, count_recovery_codes, renew_recovery_codes
from accounts.tests.factories import PASSWORD, ApiClient, UserFactory
from accounts.tests.links import key_in, last_mail, link_in
from cryptons.audit.models import Entry
from cryptons.mail.models import Mail

pytestmark = pytest.mark.django_db

OLD, NEW = "ada@example.com", "ada@example.org"
THIEF = "thief@example.com"


@pytest.fixture
def ada():
    return UserFactory(username="ada", email=OLD, verified_email=OLD)


def open_last(email):
    return read_link(key_in(last_mail(email)), at=timezone.now())


def ask(user, email):
    ask_to_change_email(RequestFactory().post("/"), user, email, PASSWORD)


def move(user, email):
    """Change the address as its owner does, and return the link that undoes it."""
    old = user.email
    ask(user, email)
    change_email(open_last(email))
    user.refresh_from_db()
    return open_last(old)


def test_a_new_account_is_not_verified_until_its_link_was_used(client):
    client.post("/account/register/", {"username": "grace", "email": "Grace@Example.com", "password": PASSWORD})
    assert b"not verified" in client.get("/account/email/").content
    assert b"not verified" in client.get("/account/").content

    phone = type(client)()
    assert phone.get(link_in(last_mail("grace@example.com")), follow=True).status_code == 200
    assert b"not verified" in client.get("/account/").content
    assert phone.post("/account/link/").status_code == 302

    assert b"not verified" not in client.get("/account/").content
    assert User.objects.get().has_verified_email
    assert phone.post("/account/link/").status_code == 404


def test_the_link_is_sent_again_on_demand_and_the_first_one_ends(client, settings):
    settings.RATE_LIMIT_ACCOUNT_MAILS = "2/hour"
    client.post("/account/register/", {"username": "grace", "email": "grace@example.com", "password": PASSWORD})
    first = link_in(last_mail("grace@example.com"))

    for _ in range(2):
        client.post("/account/email/verify/")

    assert Mail.objects.filter(subject__startswith="Confirm").count() == 2
    assert client.get(first).status_code == 404


def test_an_address_that_is_set_by_anybody_is_not_verified(ada):
    ada.email = NEW
    ada.save()
    assert not User.objects.get().has_verified_email


@pytest.mark.django_db(transaction=True)
def test_a_link_proves_only_the_address_it_was_sent_to(ada):
    send_verification(ada)
    link = open_last(OLD)
    User.objects.update(email=NEW)

    with pytest.raises(LinkOver):
        verify_email(link)

    assert not User.objects.get().has_verified_email


def test_a_new_address_counts_once_its_link_was_used(client, ada):
    client.force_login(ada)

    assert client.post("/account/email/", {"email": "Ada@Example.org", "current": PASSWORD}).status_code == 302
    ada.refresh_from_db()
    assert ada.email == OLD

    phone = type(client)()
    phone.get(link_in(last_mail(NEW)))
    assert b"ada@example.org" in phone.get("/account/link/").content
    phone.post("/account/link/")

    ada.refresh_from_db()
    assert (ada.email, ada.has_verified_email) == (NEW, True)
    assert "was changed" in last_mail(OLD).subject
    assert client.get("/account/").status_code == 200


@pytest.mark.parametrize(("email", "current"), [(NEW, "wrong"), (OLD.upper(), PASSWORD), ("nobody", PASSWORD)])
def test_a_change_needs_the_password_and_another_address(client, ada, email, current):
    client.force_login(ada)

    assert client.post("/account/email/", {"email": email, "current": current}).status_code == 400

    assert not Mail.objects.exists()


@pytest.fixture(params=["page", "api"])
def ask_from(request, client, ada):
    """Ask for a change from a client address; returns the status."""
    client.force_login(ada)

    def on_the_page(address, email, current):
        return client.post("/account/email/", {"email": email, "current": current}, REMOTE_ADDR=address).status_code

    def over_the_api(address, email, current):
        body = {"email": email, "currentPassword": current}
        return ApiClient(ada).put("/api/auth/email", body, content_type="application/json", REMOTE_ADDR=address).status_code

    return on_the_page if request.param == "page" else over_the_api


def test_the_current_password_cannot_be_guessed_by_a_change_of_the_address(ask_from, ada, settings):
    settings.RATE_LIMIT_AUTH, settings.RATE_LIMIT_ACCOUNT_MAILS = "1/15minutes", "100/hour"
    statuses = [ask_from(f"10.{number}.0.1", f"ada{number}@example.org", "wrong") for number in range(11)]
    assert statuses == [400] * 10 + [429]


def test_an_account_asks_for_few_mails_to_others_from_however_many_addresses(ask_from, ada, settings):
    settings.RATE_LIMIT_ACCOUNT_MAILS = "2/hour"
    statuses = [ask_from(f"10.{number}.0.1", f"ada{number}@example.org", PASSWORD) for number in range(3)]
    assert statuses[-1] == 429
    assert Mail.objects.count() == 2


def test_a_change_to_an_address_with_an_account_is_answered_alike(client, ada):
    UserFactory(email="grace@example.com")
    client.force_login(ada)

    answers = [client.post("/account/email/", {"email": email, "current": PASSWORD}) for email in (NEW, "Grace@Example.com")]

    assert len({(answer.status_code, answer["Location"]) for answer in answers}) == 1
    assert "/account/link/" not in last_mail("grace@example.com").text
    with pytest.raises(ValueError, match="not enough values"):
        link_in(last_mail("grace@example.com"))


@pytest.mark.django_db(transaction=True)
def test_an_address_that_was_taken_in_the_meantime_is_not_given_twice(ada):
    ask(ada, NEW)
    link = open_last(NEW)
    UserFactory(email=NEW)

    with pytest.raises(Taken):
        change_email(link)

    ada.refresh_from_db()
    assert (ada.email, ada.has_verified_email) == (OLD, True)


def test_a_later_change_ends_the_link_of_the_one_before(ada):
    ask(ada, NEW)
    link = open_last(NEW)
    ask(ada, THIEF)

    with pytest.raises(LinkOver):
        change_email(link)


def test_the_owner_takes_the_account_back_with_the_link_to_the_old_address(client, ada):
    token = ApiClient(ada)
    move(ada, THIEF)
    client.force_login(ada)

    phone = type(client)()
    assert b"Take your account back" in phone.get(link_in(last_mail(OLD)), follow=True).content
    phone.post("/account/link/", {"new": "another long horse"})

    ada.refresh_from_db()
    assert (ada.email, ada.has_verified_email) == (OLD, True)
    assert ada.check_password("another long horse")
    assert client.get("/account/").status_code == 302
    assert token.get("/api/auth/profile").status_code == 401


def protect(user, *, begun_only=False):
    """Set up a second factor, as one who has the account does."""
    factor = begin(user)
    codes = [] if begun_only else confirm(user, code_at(factor.secret, int(time.time()) // STEP_SECONDS))
    user.refresh_from_db()
    return codes


@pytest.mark.parametrize("over_the_api", [False, True])
def test_a_second_factor_of_a_thief_ends_with_the_way_back(client, ada, over_the_api):
    move(ada, THIEF)
    protect(ada)
    mail = last_mail(OLD)
    assert all("second factor and API keys that were made since the change" in text for text in (mail.text, mail.html))
    key = key_in(mail)

    if over_the_api:
        assert ApiClient().post("/api/auth/email/undo", {"key": key, "newPassword": "another long horse"}).status_code == 200
        assert ApiClient().post("/api/auth/login", {"email": OLD, "password": "another long horse"}).status_code == 200
    else:
        assert b"second factor and API keys that were made since the change" in client.get(f"/account/link/{key}/", follow=True).content
        assert client.post("/account/link/", {"new": "another long horse"})["Location"] == "/account/"
        assert client.get("/account/").status_code == 200

    ada.refresh_from_db()
    assert not ada.has_second_factor
    assert not SecondFactor.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert any("is switched off" in mail.text for mail in Mail.objects.filter(to=OLD))
    assert {"has_second_factor": ["True", "False"]} in [entry.changes for entry in Entry.objects.filter(object_id=str(ada.pk))]


def test_a_second_factor_of_before_the_change_stays(ada):
    protect(ada)
    link = move(ada, THIEF)

    set_new_password(link, "another long horse")

    ada.refresh_from_db()
    assert ada.has_second_factor
    assert count_recovery_codes(ada) == 10


def test_recovery_codes_that_a_thief_made_end_with_the_way_back(ada):
    protect(ada)
    link = move(ada, THIEF)
    renew_recovery_codes(ada)

    set_new_password(link, "another long horse")

    ada.refresh_from_db()
    assert (ada.has_second_factor, count_recovery_codes(ada)) == (True, 0)


def test_a_second_factor_that_a_thief_only_began_is_forgotten(ada):
    link = move(ada, THIEF)
    protect(ada, begun_only=True)

    set_new_password(link, "another long horse")

    assert not SecondFactor.objects.exists()


def test_api_keys_that_a_thief_made_end_with_the_way_back(ada):
    User.objects.update(is_staff=True, is_superuser=True)
    ada.refresh_from_db()
    mine, _ = make_key(ada, "mine", ["orders:read"])
    link = move(ada, THIEF)
    make_key(ada, "of the thief", ["orders:read"])

    set_new_password(link, "another long horse")

    assert list(ApiKey.objects.all()) == [mine]
    assert Entry.objects.get(object_type="apikey", action="delete").object_name.startswith("of the thief")


def test_a_thief_cannot_end_the_owners_way_back(ada):
    owners = move(ada, THIEF)
    thiefs = move(ada, "thief2@example.com")
    set_new_password(thiefs, "a long horse of a thief")

    set_new_password(owners, "another long horse")

    ada.refresh_from_db()
    assert (ada.email, ada.check_password("another long horse")) == (OLD, True)


def test_the_owners_way_back_ends_every_later_link(ada):
    owners = move(ada, THIEF)
    thiefs = move(ada, "thief2@example.com")

    set_new_password(owners, "another long horse")

    with pytest.raises(LinkOver):
        set_new_password(thiefs, "a long horse of a thief")


def test_the_old_address_stays_reserved_for_the_owner(ada):
    move(ada, THIEF)
    with pytest.raises(Taken):
        register("thief", OLD, PASSWORD)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("over_the_api", [False, True])
def test_the_way_back_to_an_address_that_staff_gave_to_another_account_is_no_longer_valid(client, ada, over_the_api):
    move(ada, THIEF)
    UserFactory(email=OLD)
    key = key_in(last_mail(OLD))

    if over_the_api:
        answer = ApiClient().post("/api/auth/email/undo", {"key": key, "newPassword": "another long horse"})
    else:
        client.get(f"/account/link/{key}/")
        answer = client.post("/account/link/", {"new": "another long horse"})

    assert answer.status_code == (400 if over_the_api else 404)
    ada.refresh_from_db()
    assert (ada.email, ada.check_password(PASSWORD)) == (THIEF, True)


def test_an_old_address_that_was_never_proven_gets_no_way_back(ada):
    User.objects.update(verified_email="")
    ada.refresh_from_db()
    ask(ada, NEW)

    change_email(open_last(NEW))

    assert "was changed" in last_mail(OLD).subject
    assert "/account/link/" not in last_mail(OLD).text
