"""Register, log in, refresh, log out, profile and password, over the API."""

import base64
import json
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import PASSWORD, ApiClient, StaffFactory, UserFactory
from cryptons.api.limits import forget_counts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _generous_limits(settings):
    settings.RATE_LIMIT_AUTH = settings.RATE_LIMIT_API = "10000/minute"
    forget_counts()


@pytest.fixture
def api():
    return ApiClient()


NEW = {"username": "Kate", "email": "Kate@Example.com", "password": "a long enough one"}


def login(api, name, password=PASSWORD):
    return api.post("/api/auth/login", {"email": name, "password": password})


def claims(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_registering_returns_the_user_and_tokens(api):
    answer = api.post("/api/auth/register", NEW)
    body = answer.json()
    assert answer.status_code == 201
    assert body["success"] is True
    assert set(body["data"]) == {"user", "token", "refresh"}
    assert body["data"]["user"] == {"id": str(User.objects.get().pk), "username": "kate", "email": "kate@example.com", "role": "user"}


def test_the_access_token_has_the_documented_claims(api):
    token = api.post("/api/auth/register", NEW).json()["data"]["token"]
    user = User.objects.get()
    told = claims(token)
    assert (told["userId"], told["email"], told["role"]) == (str(user.pk), "kate@example.com", "user")
    assert told["exp"] - told["iat"] == 86_400
    assert set(told) == {"userId", "email", "role", "iat", "exp", "jti", "token_type"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("taken", [{"email": "kate@example.com"}, {"username": "KATE"}])
def test_registering_with_a_taken_username_or_email_is_a_conflict(api, taken):
    api.post("/api/auth/register", NEW)
    answer = api.post("/api/auth/register", {"username": "other", "email": "other@example.com", "password": "a long enough one", **taken})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert answer.json()["error"]["details"][0]["field"] in taken


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "admin"),
        ("is_staff", True),
        ("email", {"$ne": None}),
        ("email", "no address"),
        ("email", 7),
        ("username", ""),
        ("username", {"$gt": ""}),
        ("username", 12345),
        ("username", "with space"),
        ("username", "nul\x00nul"),
        ("username", "a" * 151),
        ("username", "😀😀😀"),
        ("password", "short"),
        ("password", "password12345"[:8]),
        ("password", "12345678901234"),
        ("password", None),
        ("password", ["a long enough one"]),
    ],
)
def test_invalid_registration_data_is_refused_naming_the_field(api, field, value):
    answer = api.post("/api/auth/register", {**NEW, field: value})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert field in [row["field"].split(".")[0] for row in error["details"]]
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"NaN",
        b'{"email": NaN}',
        b"\xff\xfe",
        b'{"email": "\\ud800", "password": "x"}',
        b"[" * 100_000,
        b'{"a":' * 5_000,
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(api, body):
    answer = api.generic("POST", "/api/auth/login", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


def test_a_body_of_ten_megabytes_is_refused(api):
    answer = api.generic("POST", "/api/auth/login", b'{"email": "' + b"a" * 10_000_000 + b'"}')
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


def test_a_body_that_is_not_sent_as_json_is_refused(api):
    answer = api.post("/api/auth/login", "email=a", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("name", ["kate@example.com", "KATE@example.com", "kate", "Kate"])
def test_users_log_in_by_email_or_username_in_any_case(api, name):
    UserFactory(username="kate", email="kate@example.com")
    answer = login(api, name)
    assert answer.status_code == 200
    assert set(answer.json()["data"]) == {"user", "token", "refresh"}


@pytest.mark.parametrize("names", [{"username": "margaretsmith"}, {"email": "margaretsmith@example.com"}])
def test_a_new_account_cannot_have_its_own_name_as_password(api, names):
    """As on the page, and together with all other problems."""
    answer = api.post("/api/auth/register", {"username": "x", "email": "x", "password": "margaretsmith", **names, "role": "admin"})
    fields = {row["field"] for row in answer.json()["error"]["details"]}
    assert (answer.status_code, fields) == (400, {"password", "role", *({"username", "email"} - names.keys())})


def test_a_new_password_cannot_be_the_users_name():
    ada = UserFactory(username="adalovelace")
    body = {"currentPassword": PASSWORD, "newPassword": "adalovelace1"}
    answer = ApiClient(ada).put("/api/auth/password", body, content_type="application/json")
    assert answer.status_code == 400
    assert [row["field"] for row in answer.json()["error"]["details"]] == ["newPassword"]


def test_all_problems_of_a_login_are_told_at_once(api):
    answer = api.post("/api/auth/login", {"pin": "1"})
    assert {row["field"]: row["message"] for row in answer.json()["error"]["details"]} == {
        "email": "An email address or a username is required.",
        "password": "This field is required.",
        "pin": "There is no such field.",
    }
    assert api.post("/api/auth/login", {"email": "", "password": "x"}).status_code == 400


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(api):
    UserFactory(username="kate", email="kate@example.com")
    wrong, unknown = login(api, "kate@example.com", "not the one"), login(api, "nobody@example.com", "not the one")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["error"]["code"] == "UNAUTHORIZED"


def test_a_disabled_user_cannot_log_in(api):
    UserFactory(username="kate", is_active=False)
    assert login(api, "kate").status_code == 401


def test_the_profile_never_shows_a_password(api):
    user = UserFactory(first_name="Kate")
    answer = ApiClient(user).get("/api/auth/profile")
    assert answer.json()["data"]["profile"] == {"firstName": "Kate", "lastName": "", "phone": "", "address": None}
    assert "password" not in answer.content.decode()


def test_the_profile_says_when_it_was_last_edited_which_a_login_does_not_count_as(api):
    long_ago = timezone.now() - timedelta(days=9)
    user = UserFactory(username="kate")
    User.objects.filter(pk=user.pk).update(updated_at=long_ago)
    client = ApiClient(user)

    assert login(api, "kate").status_code == 200
    before = datetime.fromisoformat(client.get("/api/auth/profile").json()["data"]["updatedAt"])
    client.put("/api/auth/profile", {"firstName": "Kate"}, content_type="application/json")
    after = datetime.fromisoformat(client.get("/api/auth/profile").json()["data"]["updatedAt"])

    assert abs(before - long_ago) < timedelta(seconds=1) < timedelta(days=8) < after - before


@pytest.mark.parametrize("path", ["profile", "logout", "password"])
def test_a_request_without_a_login_gets_a_401_in_the_envelope(api, path):
    method = {"profile": "GET", "logout": "POST", "password": "PUT"}[path]
    answer = api.generic(method, f"/api/auth/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


def unsigned(token):
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


def resigned(token, algorithm, key):
    import jwt

    return jwt.encode(claims(token), key, algorithm=algorithm)


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        lambda token: token[:-4] + "AAAA",
        lambda token: token + "x",
        lambda token: "",
        lambda token: "a.b.c",
        lambda token: "ü",
        lambda token: f"{token} {token}",
        lambda token: resigned(token, "HS512", django_settings.SECRET_KEY),
        lambda token: resigned(token, "HS256", "x" * 40),
    ],
)
def test_a_forged_token_is_refused(api, forge):
    token = login(api, UserFactory().email).json()["data"]["token"]
    answer = api.get("/api/auth/profile", HTTP_AUTHORIZATION=f"Bearer {forge(token)}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


def test_an_expired_token_is_refused(api):
    import jwt

    token = login(api, UserFactory().email).json()["data"]["token"]
    old = jwt.encode({**claims(token), "exp": 1}, django_settings.SECRET_KEY, algorithm="HS256")
    assert api.get("/api/auth/profile", HTTP_AUTHORIZATION=f"Bearer {old}").status_code == 401


def test_a_token_that_was_accepted_is_refused_once_it_expires():
    client = ApiClient(UserFactory())
    assert client.get("/api/auth/profile").status_code == 200

    with patch("accounts.tokens.aware_utcnow", lambda: timezone.now() + django_settings.JWT_ACCESS_LIFETIME):
        assert client.get("/api/auth/profile").status_code == 401


def test_a_refresh_token_is_not_accepted_as_an_access_token(api):
    refresh = login(api, UserFactory().email).json()["data"]["refresh"]
    assert api.get("/api/auth/profile", HTTP_AUTHORIZATION=f"Bearer {refresh}").status_code == 401


def test_the_token_of_a_disabled_user_is_refused_at_once():
    from accounts.tokens import forget_user

    user = UserFactory()
    client = ApiClient(user)
    assert client.get("/api/auth/profile").status_code == 200
    User.objects.filter(pk=user.pk).update(is_active=False)
    forget_user(user.pk)
    assert client.get("/api/auth/profile").status_code == 401


def test_the_role_of_a_demoted_user_is_read_from_the_database_not_the_token():
    from accounts.tokens import forget_user

    staff = StaffFactory()
    client = ApiClient(staff)
    User.objects.filter(pk=staff.pk).update(is_staff=False)
    forget_user(staff.pk)
    assert client.get("/api/auth/profile").json()["data"]["role"] == "user"


def test_a_browser_session_does_not_log_in_to_the_api(client):
    client.force_login(UserFactory())
    assert client.get("/api/auth/profile").status_code == 401


def test_a_refresh_token_can_be_used_only_once(api):
    refresh = login(api, UserFactory().email).json()["data"]["refresh"]
    first = api.post("/api/auth/refresh", {"refresh": refresh})
    assert (first.status_code, set(first.json()["data"])) == (200, {"token", "refresh"})
    assert api.post("/api/auth/refresh", {"refresh": refresh}).status_code == 401


def test_logging_out_revokes_both_tokens(api):
    tokens = login(api, UserFactory().email).json()["data"]
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {tokens['token']}"}
    assert api.post("/api/auth/logout", {"refresh": tokens["refresh"]}, **bearer).status_code == 200
    assert api.get("/api/auth/profile", **bearer).status_code == 401
    assert api.post("/api/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401


def test_a_token_that_was_just_used_is_looked_up_no_second_time_and_revoked_at_once(api, django_assert_num_queries):
    client = ApiClient(UserFactory())
    client.get("/api/auth/profile")
    with django_assert_num_queries(0):
        assert client.get("/api/auth/profile").status_code == 200
    client.post("/api/auth/logout", {})
    assert client.get("/api/auth/profile").status_code == 401


def test_a_user_cannot_revoke_the_token_of_another_user(api):
    theirs = login(api, UserFactory().email).json()["data"]["refresh"]
    ApiClient(UserFactory()).post("/api/auth/logout", {"refresh": theirs})
    assert api.post("/api/auth/refresh", {"refresh": theirs}).status_code == 200


def test_changing_the_password_revokes_all_older_tokens(api):
    user = UserFactory()
    old = ApiClient(user)
    answer = old.put(
        "/api/auth/password", {"currentPassword": PASSWORD, "newPassword": "another long one"}, content_type="application/json"
    )
    assert answer.status_code == 200
    assert old.get("/api/auth/profile").status_code == 401
    new = {"HTTP_AUTHORIZATION": f"Bearer {answer.json()['data']['token']}"}
    assert api.get("/api/auth/profile", **new).status_code == 200
    assert login(api, user.email, "another long one").status_code == 200


def test_changing_the_password_needs_the_current_password():
    client = ApiClient(UserFactory())
    answer = client.put(
        "/api/auth/password", {"currentPassword": "wrong", "newPassword": "another long one"}, content_type="application/json"
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "currentPassword"


ADDRESS = {"name": "Kate", "street": "Main 1", "city": "Köln", "postalCode": "50667", "country": "DE"}


def test_the_profile_and_the_address_are_saved_as_typed():
    client = ApiClient(UserFactory())
    address = {**ADDRESS, "name": "كيت 😀", "street2": "<b>2nd</b>"}
    answer = client.put("/api/auth/profile", {"firstName": "Kate", "address": address}, content_type="application/json")
    assert answer.status_code == 200
    assert client.get("/api/auth/profile").json()["data"]["profile"]["address"] == address


@pytest.mark.parametrize(
    "change",
    [
        {"country": "XX"},
        {"country": "Germany"},
        {"planet": "Mars"},
        {"name": ""},
        {"street": {"$ne": None}},
        {"city": "a" * 81},
        {"name": "a\x00"},
    ],
)
def test_an_invalid_address_is_refused_naming_the_field(change):
    answer = ApiClient(UserFactory()).put("/api/auth/profile", {"address": {**ADDRESS, **change}}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, f"address.{next(iter(change))}")


def test_a_user_cannot_set_the_role_in_the_profile():
    client = ApiClient(UserFactory())
    assert client.put("/api/auth/profile", {"role": "admin"}, content_type="application/json").status_code == 400
