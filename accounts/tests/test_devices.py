"""Users are told of a login from a device they have not used before, and of nothing else about it."""

import pytest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts import devices
from accounts.devices import COOKIE, known_place
from accounts.mails import mail_new_device, mail_password_changed, mail_second_factor_changed
from accounts.models import KnownDevice
from accounts.second_factor import remove, renew_recovery_codes
from accounts.tasks import forget_old_links
from accounts.tests.factories import PASSWORD, ApiClient, UserFactory
from accounts.tests.links import last_mail
from cryptons.api.limits import forget_counts
from cryptons.client_address import client_ip
from cryptons.mail.models import Mail

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_counts(settings):
    settings.RATE_LIMIT_AUTH = "100/minute"
    forget_counts()


@pytest.fixture
def ada():
    return UserFactory(username="ada", email="ada@example.com")


def log_in(client, address, name="ada"):
    assert client.post("/account/login/", {"name": name, "password": PASSWORD}, REMOTE_ADDR=address).status_code == 302


def mails():
    return Mail.objects.filter(subject__startswith="New login").count()


def test_a_login_from_a_new_device_is_mailed_once(client, ada):
    log_in(client, "192.0.2.7")
    assert mails() == 1
    assert "192.0.2.7" in last_mail(ada.email).text
    assert "/account/forgotten/" in last_mail(ada.email).text

    log_in(client, "192.0.2.7")
    log_in(client, "198.51.100.7")  # the same browser elsewhere
    log_in(type(client)(), "192.0.2.7")  # another one at the same address
    assert mails() == 1

    log_in(type(client)(), "203.0.113.7")
    assert mails() == 2


def test_a_login_over_the_api_is_known_by_its_network(ada):
    api = ApiClient()
    for address in ("2001:db8:1:1::7", "2001:db8:1:1::8", "2001:db8:1:2::7"):
        assert api.post("/api/auth/login", {"email": "ada", "password": PASSWORD}, REMOTE_ADDR=address).status_code == 200
    assert mails() == 2
    assert COOKIE not in api.cookies


@pytest.mark.parametrize(
    ("mine", "other", "is_known"),
    [("192.0.2.7", "192.0.2.8", False), ("2001:db8:1:1::7", "2001:db8:1:2::7", False), ("2001:db8:1:1::7", "2001:db8:1:1::8", True)],
)
def test_an_address_is_known_as_exactly_as_wrong_tries_are_counted(ada, rf, mine, other, is_known):
    here, there = rf.get("/", REMOTE_ADDR=mine), rf.get("/", REMOTE_ADDR=other)
    devices.notice_login(here, ada)
    assert bool(known_place(ada, there)) == (client_ip(here) == client_ip(there)) == is_known


def test_a_failed_login_makes_no_device_known(client, ada):
    client.post("/account/login/", {"name": "ada", "password": "wrong"})
    assert not KnownDevice.objects.exists()
    assert not Mail.objects.exists()


def test_registering_makes_the_device_known(client):
    client.post("/account/register/", {"username": "grace", "email": "grace@example.com", "password": PASSWORD})
    client.post("/account/login/", {"name": "grace", "password": PASSWORD})
    assert mails() == 0


def test_the_cookie_of_a_device_is_out_of_reach_of_scripts_and_cannot_be_made_up(client, ada):
    log_in(client, "192.0.2.7")
    cookie = client.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 400 * 86_400)

    other = type(client)()
    other.cookies[COOKIE] = cookie.value[:-1]
    log_in(other, "198.51.100.7")

    assert mails() == 2


def test_a_device_of_one_user_is_new_for_another(client, ada):
    UserFactory(username="grace", email="grace@example.com")
    log_in(client, "192.0.2.7")
    log_in(client, "192.0.2.7", "grace")
    assert mails() == 2


def test_the_device_seen_longest_ago_is_forgotten_first(ada, rf, monkeypatch):
    monkeypatch.setattr(devices, "MOST", 2)
    requests = [rf.get("/", REMOTE_ADDR=f"192.0.{number}.7") for number in range(3)]
    for request in requests:
        devices.notice_login(request, ada)
    assert [bool(known_place(ada, request)) for request in requests] == [False, True, True]


def test_devices_that_were_not_seen_for_long_are_forgotten(client, ada):
    log_in(client, "192.0.2.7")
    KnownDevice.objects.update(seen_at=timezone.now() - devices.KEEP)
    forget_old_links()
    assert not KnownDevice.objects.exists()


def test_mails_about_the_account_are_in_the_users_language_and_tell_what_to_do(ada):
    ada.language = "de"
    mail_new_device(ada, address="192.0.2.7", at=timezone.now())
    mail_password_changed(ada)
    mail_second_factor_changed(ada, gettext_lazy("Saved."))
    assert Mail.objects.count() == 3
    for mail in Mail.objects.all():
        assert "/de/account/forgotten/" in mail.text
        assert "/de/account/forgotten/" in mail.html
        assert 'lang="de"' in mail.html
    assert "Gespeichert." in last_mail(ada.email).text


@pytest.mark.parametrize("change", [remove, renew_recovery_codes])
def test_a_change_of_the_second_factor_is_mailed(ada, change):
    change(ada)
    assert last_mail(ada.email).subject == "The second factor of your account at Cryptons was changed"


def test_the_first_member_of_staff_without_an_address_gets_no_mail():
    mail_password_changed(UserFactory(email="admin@localhost"))
    assert not Mail.objects.exists()
