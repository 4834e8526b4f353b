"""Wrong passwords and codes are limited for each account at each address, and lock nobody else out."""

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from accounts.models import SecondFactor, User
from accounts.tests.factories import PASSWORD, ApiClient, UserFactory
from cryptons.api import limits
from cryptons.api.limits import count, forget_counts, take_back, times
from cryptons.audit.models import Entry

pytestmark = pytest.mark.django_db

HERE, THERE = "192.0.2.1", "198.51.100.1"


@pytest.fixture(autouse=True)
def _no_counts(settings):
    settings.RATE_LIMIT_AUTH, settings.RATE_LIMIT_API = "5/15minutes", "10000/minute"
    forget_counts()


@pytest.fixture
def ada():
    return UserFactory(username="ada", email="ada@example.com")


def page(name="ada", password="wrong", address=HERE, client=None):
    return (client or Client()).post("/account/login/", {"name": name, "password": password}, REMOTE_ADDR=address)


def api(name="ada", password="wrong", address=HERE, **_):
    return ApiClient().post("/api/auth/login", {"username": name, "password": password}, REMOTE_ADDR=address)


@pytest.fixture(params=[page, api], ids=["page", "api"])
def login(request):
    return request.param


def is_in(answer):
    return answer.status_code in (200, 302)


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_after_five_wrong_passwords_the_account_asks_that_address_to_wait(ada, login, name):
    statuses = [login(name).status_code for _ in range(5)]
    assert 429 not in statuses

    answer = login(name, PASSWORD)

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 900
    assert "Too many attempts" in answer.content.decode()


def test_page_and_api_count_together_and_by_any_name_of_the_account(ada):
    for name, login in [("ada", page), ("ADA", api), ("ada@example.com", page), ("Ada@Example.com", api), ("ada", api)]:
        login(name)
    assert [page(password=PASSWORD).status_code, api(password=PASSWORD).status_code] == [429, 429]


def test_a_stranger_locks_nobody_else_at_the_same_address_out(ada, login):
    UserFactory(username="bob")
    for _ in range(10):
        login("ada")
    assert is_in(login("bob", PASSWORD))


def test_the_owner_gets_in_from_another_address(ada, login):
    for _ in range(10):
        login()
    assert is_in(login(password=PASSWORD, address=THERE))


def test_the_owner_gets_in_where_they_logged_in_before_while_strangers_try(ada, login, settings):
    settings.RATE_LIMIT_AUTH = "1/15minutes"
    assert is_in(login(password=PASSWORD, address=THERE))
    for number in range(12):
        login(address=f"10.{number}.0.1")

    assert login(password=PASSWORD, address=HERE).status_code == 429
    assert is_in(login(password=PASSWORD, address=THERE))


def test_a_browser_that_is_known_gets_in_beside_a_stranger_at_the_same_address(ada):
    mine = Client()
    assert is_in(page(password=PASSWORD, client=mine))
    mine.post("/account/logout/")
    for _ in range(10):
        page()

    assert page(password=PASSWORD).status_code == 429
    assert is_in(page(password=PASSWORD, client=mine))


def test_a_browser_of_somebody_else_is_not_a_known_one(ada):
    UserFactory(username="bob")
    bobs = Client()
    assert is_in(page("bob", PASSWORD, client=bobs))
    for _ in range(5):
        page(client=bobs)
    assert page(password=PASSWORD).status_code == 429


def test_a_known_place_has_a_limit_of_its_own(ada, login):
    mine = Client()
    assert is_in(login(password=PASSWORD, client=mine))
    for _ in range(5):
        login(client=mine)
    assert login(password=PASSWORD, client=mine).status_code == 429


def test_right_passwords_are_not_counted(ada, login):
    assert all(is_in(login(password=PASSWORD)) for _ in range(12))


def test_right_passwords_have_a_generous_limit_of_their_own(ada, login, settings, monkeypatch):
    settings.RATE_LIMIT_LOGINS = "3/minute"
    hashed = []
    verify = MD5PasswordHasher.verify
    monkeypatch.setattr(MD5PasswordHasher, "verify", lambda self, *given: hashed.append(1) or verify(self, *given))
    assert all(is_in(login(password=PASSWORD)) for _ in range(3))

    answer = login(password=PASSWORD)

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60
    assert (len(hashed), Entry.objects.filter(action="login").count()) == (3, 3)
    assert is_in(login(password=PASSWORD, address=THERE))


def test_wrong_passwords_take_none_of_the_right_ones(ada, login, settings):
    settings.RATE_LIMIT_LOGINS = "1/minute"
    for _ in range(3):
        login()
    assert is_in(login(password=PASSWORD))


def test_one_address_cannot_log_in_with_ever_more_accounts(login, settings):
    settings.RATE_LIMIT_LOGINS = "1/minute"
    names = [UserFactory().username for _ in range(4)]
    assert [is_in(login(name, PASSWORD)) for name in names] == [True, True, True, False]


def test_one_address_cannot_guess_at_ever_more_accounts(login, settings):
    settings.RATE_LIMIT_AUTH = "1/15minutes"
    statuses = [login(f"name{number}").status_code for number in range(11)]
    assert 429 not in statuses[:10]
    assert statuses[10] == 429


@pytest.fixture
def protected(ada):
    SecondFactor.objects.create(user=ada, secret="A" * 32, confirmed_at=ada.date_joined)
    User.objects.filter(pk=ada.pk).update(has_second_factor=True)
    return ada


def test_wrong_codes_are_limited_on_the_page_and_over_the_api(protected):
    client = Client()
    page(password=PASSWORD, client=client)
    statuses = [client.post("/account/login/code/", {"code": "0"}, REMOTE_ADDR=HERE).status_code for _ in range(6)]
    assert statuses == [400] * 5 + [429]

    answer = ApiClient().post("/api/auth/login", {"username": "ada", "password": PASSWORD, "otp": "0"}, REMOTE_ADDR=HERE)
    assert answer.status_code == 429


def test_wrong_codes_from_many_addresses_are_limited_sooner_than_passwords(protected):
    def guess(number):
        body = {"username": "ada", "password": PASSWORD, "otp": "0"}
        return ApiClient().post("/api/auth/login", body, REMOTE_ADDR=f"10.{number}.0.1").status_code

    assert [guess(number) for number in range(11)] == [401] * 10 + [429]


@pytest.mark.parametrize(
    ("path", "field"), [("/account/password/", "current"), ("/account/second-factor/set-up/", "password"), ("/api/auth/password", "")]
)
def test_the_current_password_cannot_be_guessed_by_who_found_a_session(ada, path, field):
    SecondFactor.objects.create(user=ada, secret="A" * 32)
    client = Client()
    client.force_login(ada)

    def guess(password):
        if field:
            return client.post(path, {field: password, "new": "another long horse", "code": "1"}).status_code
        body = {"currentPassword": password, "newPassword": "another long horse"}
        return ApiClient(ada).put(path, body, content_type="application/json").status_code

    assert [guess("wrong") for _ in range(6)] == [400] * 5 + [429]
    assert guess(PASSWORD) == 429
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_a_right_current_password_cannot_be_checked_without_end(ada, settings):
    settings.RATE_LIMIT_LOGINS = "2/minute"
    client = Client()
    client.force_login(ada)
    answers = [client.post("/account/password/", {"current": PASSWORD, "new": PASSWORD}).status_code for _ in range(3)]
    assert answers == [302, 302, 429]


def test_an_unknown_name_costs_the_same_work_as_a_known_one(ada, login, monkeypatch):
    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda self, *given: hashed.append(1) or encode(self, *given))

    login("ada")
    known = len(hashed)
    login("nobody")

    assert (known, len(hashed)) == (1, 2)


def test_counts_are_taken_back_in_redis_too(settings, monkeypatch):
    redis = FixedWindowRateLimiter(MemoryStorage())
    settings.REDIS_URL = "redis://127.0.0.1:1"
    monkeypatch.setattr(limits, "_redis", lambda url: redis)

    assert count("2/minute", "a")[0]
    take_back("2/minute", "a")
    assert [count("2/minute", "a")[0] for _ in range(3)] == [True, True, False]


def test_limits_hold_while_redis_is_away(ada, login, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1"
    statuses = [login(password=PASSWORD).status_code for _ in range(2)] + [login().status_code for _ in range(6)]
    assert statuses[-1] == 429
    assert 429 not in statuses[:7]


def test_a_limit_times_a_number():
    assert limits.parsed(times("5/15minutes", 10)) == limits.parsed("50/15minutes")
