"""Register, log in, profile, address and password as pages."""

import pytest

from accounts.forms import ProfileForm
from accounts.models import User
from accounts.tests.factories import PASSWORD, StaffFactory, UserFactory
from cryptons.mail.models import Mail

pytestmark = pytest.mark.django_db

ADDRESS = {"name": "Ada Buyer", "street": "1 Test Road", "city": "Testing", "postalCode": "12345", "country": "DE"}
NEW = "another long horse"
OWN = ["/account/", "/account/address/", "/account/password/"]


@pytest.fixture
def ada():
    return UserFactory(username="ada", email="ada@example.com")


def log_in(client, name="ada", password=PASSWORD, **more):
    return client.post("/account/login/", {"name": name, "password": password, **more})


@pytest.mark.parametrize("name", ["ada", "ADA", "ada@example.com", "Ada@Example.com"])
def test_users_log_in_by_username_or_email_and_reach_their_profile(client, ada, name):
    answer = log_in(client, name)

    assert (answer.status_code, answer["Location"]) == (302, "/account/")
    assert client.get("/account/").status_code == 200


def test_a_failed_login_keeps_the_username_but_not_the_password(client, ada):
    answer = log_in(client, password="wrong-and-secret")

    assert answer.status_code == 400
    assert b"Wrong username or password" in answer.content
    assert b'value="ada"' in answer.content
    assert b"wrong-and-secret" not in answer.content
    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil.example"])
def test_logging_in_never_redirects_to_another_site(client, ada, wanted):
    assert log_in(client, next=wanted)["Location"] == "/account/"


def test_logging_in_redirects_to_the_page_that_was_asked_for(client, ada):
    assert log_in(client, next="/checkout/")["Location"] == "/checkout/"


def test_too_many_login_attempts_are_refused_before_the_password_is_checked(client, ada, settings):
    settings.RATE_LIMIT_AUTH = "2/15minutes"
    log_in(client, password="x")
    log_in(client, password="x")

    answer = log_in(client)

    assert answer.status_code == 429
    assert b"Too many attempts" in answer.content


@pytest.mark.parametrize("path", OWN)
def test_account_pages_redirect_anonymous_visitors_to_the_login(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/account/login/?next={path}")


def test_a_get_request_does_not_log_a_user_out(client, ada):
    client.force_login(ada)

    assert client.get("/account/logout/").status_code == 405
    assert client.get("/account/").status_code == 200

    client.post("/account/logout/")
    assert client.get("/account/").status_code == 302


def test_registering_creates_a_user_and_logs_them_in(client):
    answer = client.post("/account/register/", {"username": "Grace", "email": "Grace@Example.com", "password": PASSWORD})

    assert answer["Location"] == "/account/"
    user = User.objects.get()
    assert (user.username, user.email, user.is_staff) == ("grace", "grace@example.com", False)
    assert user.check_password(PASSWORD)
    assert client.get("/account/").status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("username", "ada", b"taken"),
        ("email", "ada@example.com", b"already has an account"),
        ("username", "a b", b"Letters, digits"),
        ("email", "nobody", b"valid email"),
        ("password", "1234567890", b"numeric"),
        ("password", "short", b"too short"),
    ],
)
def test_an_invalid_registration_is_explained_and_keeps_the_other_fields(client, ada, field, value, words):
    data = {"username": "grace", "email": "grace@example.com", "password": PASSWORD, field: value}

    answer = client.post("/account/register/", data)

    assert answer.status_code == 400
    assert words in answer.content
    assert User.objects.count() == 1
    kept = "email" if field == "username" else "username"
    assert f'value="{data[kept]}"'.encode() in answer.content


def test_a_name_with_markup_is_escaped_in_the_profile(client, ada):
    client.force_login(ada)
    client.post("/account/", {"first_name": "<b>Ada</b>", "last_name": "Ü 😀", "phone": ""})

    page = client.get("/account/").content.decode()

    assert "&lt;b&gt;Ada&lt;/b&gt;" in page
    assert "<b>Ada</b>" not in page
    assert "Ü 😀" in page


def test_the_profile_form_cannot_make_a_user_staff(client, ada):
    client.force_login(ada)
    client.post("/account/", {"first_name": "Ada", "is_staff": "on", "is_superuser": "on", "username": "root"})

    ada.refresh_from_db()
    assert (ada.first_name, ada.is_staff, ada.is_superuser, ada.username) == ("Ada", False, False, "ada")


def test_the_address_of_a_user_can_be_saved(client, ada):
    client.force_login(ada)

    assert client.post("/account/address/", ADDRESS).status_code == 302

    ada.refresh_from_db()
    assert {name: ada.address[name] for name in ADDRESS} == ADDRESS
    assert b'value="1 Test Road"' in client.get("/account/address/").content


@pytest.mark.parametrize("change", [{"country": "XX"}, {"name": ""}, {"street": "x" * 1000}, {"city": "\x00"}])
def test_an_invalid_address_is_not_saved_and_keeps_the_other_fields(client, ada, change):
    client.force_login(ada)

    answer = client.post("/account/address/", {**ADDRESS, **change})

    assert answer.status_code == 400
    assert b'value="12345"' in answer.content
    ada.refresh_from_db()
    assert not ada.address


def test_changing_the_password_keeps_this_session_and_ends_the_others(client, ada):
    other = type(client)()
    client.force_login(ada)
    other.force_login(ada)

    client.post("/account/password/", {"current": PASSWORD, "new": "another long horse"})

    assert client.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302
    ada.refresh_from_db()
    assert ada.check_password("another long horse")


@pytest.mark.parametrize("passwords", [{"current": "wrong", "new": "another long horse"}, {"current": PASSWORD, "new": "short"}])
def test_an_invalid_password_change_changes_nothing(client, ada, passwords):
    client.force_login(ada)

    assert client.post("/account/password/", passwords).status_code == 400

    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


@pytest.mark.parametrize("path", ["/account/login/", "/account/register/", *OWN])
def test_an_account_form_without_a_csrf_token_is_refused(ada, path):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.post(path, {"name": "ada"}).status_code == 403


def test_a_profile_that_is_saved_meanwhile_does_not_bring_back_an_old_password_right_or_address(client, ada, monkeypatch):
    log_in(client)
    is_valid = ProfileForm.is_valid

    def change_meanwhile(form):
        User.objects.filter(pk=ada.pk).update(password="new", email="new@example.com", is_active=False)
        return is_valid(form)

    monkeypatch.setattr(ProfileForm, "is_valid", change_meanwhile)
    client.post("/account/", {"first_name": "Ada", "last_name": "Buyer", "phone": "1"})

    ada.refresh_from_db()
    assert (ada.first_name, ada.last_name, ada.phone) == ("Ada", "Buyer", "1")
    assert (ada.password, ada.email, ada.is_active) == ("new", "new@example.com", False)


def test_staff_change_their_password_on_the_page_that_counts_wrong_tries_and_mails_them(client, settings):
    settings.RATE_LIMIT_AUTH = "2/15minutes"
    client.force_login(StaffFactory())
    assert client.get("/admin/password_change/")["Location"] == "/account/password/"
    assert client.get("/de/admin/password_change/")["Location"] == "/de/account/password/"

    guess = {"old_password": "wrong", "current": "wrong", "new_password1": NEW, "new_password2": NEW, "new": NEW}
    answers = [client.post(path, guess) for path in ["/admin/password_change/", *["/account/password/"] * 3]]
    assert [answer.status_code for answer in answers] == [302, 400, 400, 429]


def test_who_gets_a_new_password_from_staff_is_mailed(client, ada):
    client.force_login(StaffFactory())

    client.post(f"/admin/accounts/user/{ada.pk}/password/", {"password1": NEW, "password2": NEW, "usable_password": "true"})

    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert "password" in Mail.objects.get(to=ada.email).subject.lower()
