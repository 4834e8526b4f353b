"""API keys: what they may do, when they stop, how they are counted, and who makes them."""

import time
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import caches
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from accounts.admin import MomentField
from accounts.api_keys import SCOPES, NotPermitted, make_key, possible_scopes
from accounts.groups import make_ready_groups
from accounts.models import ApiKey, SecondFactor, User
from accounts.one_time_codes import STEP_SECONDS, code_at, new_secret
from accounts.tests.factories import PASSWORD, ApiClient, StaffFactory, UserFactory
from cryptons.audit.models import Entry

pytestmark = pytest.mark.django_db

ROUTE = "/api/payments"


@pytest.fixture
def grace():
    return StaffFactory(username="grace")


def member_of(group):
    make_ready_groups()
    user = UserFactory(is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def program(text, **options):
    return ApiClient(HTTP_AUTHORIZATION=f"Bearer {text}", **options)


def key_of(user, *scopes, **options):
    return make_key(user, "ERP", scopes or ["payments:read"], **options)[1]


def test_a_key_may_do_what_its_scopes_name(grace):
    client = program(key_of(grace, "payments:read"))
    assert client.get(ROUTE).status_code == 200
    assert client.get("/api/orders?all=true").status_code == 403


def test_only_a_digest_of_a_key_is_stored(grace):
    key, text = make_key(grace, "ERP", ["payments:read"])
    row = ApiKey.objects.get(pk=key.pk)
    assert text.startswith(row.start)
    assert len(row.start) == 10
    assert text not in str(vars(row))
    assert str(row) == f"ERP ({text[:10]}…)"


@pytest.mark.parametrize("text", ["ck_", "ck_unknown", "ck_\u00e9", "CK_x"])
def test_what_is_no_key_is_refused(text):
    response = program(text).get(ROUTE)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "UNAUTHORIZED"


def test_an_expired_key_is_refused(grace):
    text = key_of(grace, expires_at=timezone.now() + timedelta(seconds=50))
    assert program(text).get(ROUTE).status_code == 200
    with patch("accounts.api_keys.timezone.now", return_value=timezone.now() + timedelta(seconds=51)):
        assert program(text).get(ROUTE).status_code == 401


@pytest.mark.parametrize(
    "allowed, address, status",
    [
        (["192.0.2.7"], "192.0.2.7", 200),
        (["192.0.2.7"], "192.0.2.8", 401),
        (["198.51.100.0/24", "192.0.2.0/24"], "192.0.2.8", 200),
        (["2001:db8::7"], "2001:db8::7", 200),
        (["2001:db8::7"], "2001:db8::8", 401),
        (["192.0.2.7"], "::ffff:192.0.2.7", 200),
        (["::ffff:192.0.2.7"], "192.0.2.7", 200),
        (["::ffff:192.0.2.0/120"], "192.0.2.8", 200),
        (["::ffff:192.0.2.0/120"], "192.0.3.8", 401),
        (["192.0.2.7"], "", 401),
    ],
)
def test_a_key_is_accepted_from_the_addresses_that_it_names(grace, allowed, address, status):
    assert program(key_of(grace, allowed_ips=allowed), REMOTE_ADDR=address).get(ROUTE).status_code == status


def test_a_key_ends_at_once_when_it_is_deleted(grace):
    key, text = make_key(grace, "ERP", ["payments:read"])
    assert program(text).get(ROUTE).status_code == 200
    key.delete()
    assert program(text).get(ROUTE).status_code == 401


@pytest.mark.parametrize("name", ["is_active", "is_staff"])
def test_a_key_ends_with_its_maker_and_for_good(grace, name):
    text = key_of(grace)
    assert program(text).get(ROUTE).status_code == 200
    for value in (False, True):
        setattr(grace, name, value)
        grace.save()
        assert program(text).get(ROUTE).status_code == 401


def test_logging_out_everywhere_ends_the_keys_as_well(client, grace):
    maker = member_of("Bookkeeper")
    text = key_of(maker)
    client.force_login(grace)
    client.post("/admin/accounts/user/", {"action": "log_out_everywhere", "_selected_action": [str(maker.pk)]})
    assert program(text).get(ROUTE).status_code == 401
    assert not ApiKey.objects.exists()


def test_a_new_password_leaves_the_keys(grace):
    text = key_of(grace)
    grace.set_password("another long horse")
    grace.save()
    assert program(text).get(ROUTE).status_code == 200


def test_a_key_changes_nothing_after_its_maker_when_the_cache_cannot_forget(grace, monkeypatch):
    client = program(key_of(grace, "categories:write", "payments:read"))
    assert client.get(ROUTE).status_code == 200
    monkeypatch.setattr(caches["default"], "delete", lambda *args, **options: False)
    User.objects.filter(pk=grace.pk).update(is_staff=False)
    assert client.post("/api/categories", {"name": "Teas"}).status_code == 401


def test_a_key_loses_the_rights_that_its_maker_loses():
    maker = member_of("Bookkeeper")
    text = key_of(maker)
    assert program(text).get(ROUTE).status_code == 200
    maker.groups.clear()
    assert program(text).get(ROUTE).status_code == 403


def test_a_key_of_staff_who_lack_the_second_factor_may_do_nothing(grace, settings):
    text = key_of(grace)
    settings.STAFF_TWO_FACTOR = "required"
    assert program(text).get(ROUTE).status_code == 403


def test_a_key_can_be_made_for_no_more_than_its_maker_may_do():
    packer = member_of("Packer")
    assert possible_scopes(packer) == ["orders:read", "orders:write", "products:read", "stats:read"]
    with pytest.raises(NotPermitted):
        key_of(packer, "payments:read")
    assert not ApiKey.objects.exists()


def test_a_key_has_nothing_of_its_makers_own(grace):
    client = program(key_of(grace, *SCOPES))
    for path in ("/api/auth/profile", "/api/cart"):
        assert client.get(path).status_code == 403, path
    assert client.put("/api/auth/password", {"currentPassword": PASSWORD, "newPassword": "another long horse"}).status_code == 403
    assert client.get("/api/orders").json()["data"] == []


def test_a_key_makes_no_keys(grace):
    client = program(key_of(grace, *SCOPES))
    assert client.get("/api/api-keys").status_code == 403
    assert client.post("/api/api-keys", {"name": "Another", "scopes": ["payments:read"]}).status_code == 403
    with pytest.raises(NotPermitted):
        key_of(grace, "api-keys:write")


def test_the_last_use_is_noted_at_most_once_a_minute(grace):
    text = key_of(grace)
    program(text, REMOTE_ADDR="192.0.2.7").get(ROUTE)
    first = ApiKey.objects.get()
    assert first.last_used_ip == "192.0.2.7"
    program(text, REMOTE_ADDR="192.0.2.8").get(ROUTE)
    assert ApiKey.objects.get().last_used_at == first.last_used_at
    with patch("accounts.api_keys.timezone.now", return_value=timezone.now() + timedelta(seconds=61)):
        program(text, REMOTE_ADDR="192.0.2.8").get(ROUTE)
    assert ApiKey.objects.get().last_used_ip == "192.0.2.8"


def test_a_key_has_a_limit_of_its_own(grace, settings):
    settings.RATE_LIMIT_API, settings.RATE_LIMIT_KEY = "1/minute", "3/minute"
    client = program(key_of(grace))
    assert [client.get(ROUTE).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert client.get("/api/rates").status_code == 429, "public reads count as well"
    assert program(key_of(grace)).get(ROUTE).status_code == 200, "another key"
    assert ApiClient().get("/api/rates").status_code == 200, "the address"


def test_a_wrong_key_is_counted_for_its_address(settings):
    settings.RATE_LIMIT_API = "2/minute"
    assert [program(f"ck_{n}").get(ROUTE).status_code for n in range(3)] == [401, 401, 429]


def test_an_address_that_sent_too_many_wrong_keys_is_refused_without_a_query_and_known_keys_go_on(
    grace, settings, django_assert_num_queries
):
    settings.RATE_LIMIT_API = "2/minute"
    used, text = key_of(grace), key_of(grace)
    program(used).get(ROUTE)
    for n in range(2):
        program(f"ck_{n}").get(ROUTE)
    with django_assert_num_queries(0):
        answer = program("ck_another").get(ROUTE)
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)
    assert program(used).get(ROUTE).status_code == 200
    assert program(text).get(ROUTE).status_code == 429, "it may be a guess"
    assert program(text, REMOTE_ADDR="192.0.2.9").get(ROUTE).status_code == 200, "another address"


def test_good_keys_do_not_count_as_wrong_ones(grace, settings):
    settings.RATE_LIMIT_API = "2/minute"
    assert {program(key_of(grace)).get(ROUTE).status_code for _ in range(4)} == {200}


def test_a_key_that_another_process_has_seen_is_known_to_this_one(grace, settings):
    settings.RATE_LIMIT_API = "1/minute"
    text = key_of(grace)
    program(text).get(ROUTE)
    caches["default"].clear()  # without Redis each process has its own
    program("ck_unknown").get(ROUTE)
    assert program(text).get(ROUTE).status_code == 200


def test_a_key_that_an_outage_left_undecided_does_not_count_as_a_wrong_one(grace, settings):
    settings.RATE_LIMIT_API = "2/minute"
    text = key_of(grace)
    with patch("accounts.api_keys._find_key", side_effect=OperationalError("the connection is closed")):
        assert [program(text).get(ROUTE).status_code for _ in range(2)] == [503, 503]
    assert program(text).get(ROUTE).status_code == 200


def test_what_a_key_changes_is_in_the_audit_log_with_the_keys_name(grace):
    body = {"name": "Teas", "slug": "teas"}
    assert program(key_of(grace, "categories:write")).post("/api/categories", body).status_code == 201
    entry = Entry.objects.get(object_type="category")
    assert (entry.person, entry.person_id, entry.way) == ("grace (ERP)", grace.pk, "api")


# --- who makes keys -------------------------------------------------------------------------------------------------------


BODY = {"name": "ERP", "scopes": ["orders:read", "payments:read"]}


def test_a_key_is_in_one_answer_and_in_no_list(grace):
    made = ApiClient(grace).post("/api/api-keys", {**BODY, "allowedIps": ["192.0.2.0/24"]})
    assert made.status_code == 201
    text = made.json()["data"].pop("key")
    listed = ApiClient(grace).get("/api/api-keys")
    assert listed.json()["data"][0]["allowedIps"] == ["192.0.2.0/24"]
    assert text not in listed.content.decode()
    assert made.headers["Cache-Control"] == "no-store"
    assert program(text, REMOTE_ADDR="192.0.2.9").get(ROUTE).status_code == 200


def test_a_key_is_revoked_by_its_id(grace):
    key, text = make_key(grace, "ERP", ["payments:read"])
    assert ApiClient(grace).delete(f"/api/api-keys/{key.pk}").status_code == 204
    assert program(text).get(ROUTE).status_code == 401
    assert ApiClient(grace).delete(f"/api/api-keys/{key.pk}").status_code == 404
    assert list(Entry.objects.filter(object_type="apikey").order_by("at", "pk").values_list("action", flat=True)) == ["add", "delete"]


@pytest.mark.parametrize(
    "change, field",
    [
        ({"name": ""}, "name"),
        ({"name": "see https://spam.example"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"scopes": ["api-keys:write"]}, "scopes.0"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"allowedIps": ["everywhere"]}, "allowedIps.0"),
    ],
)
def test_a_wrong_wish_for_a_key_names_its_field(grace, change, field):
    response = ApiClient(grace).post("/api/api-keys", {**BODY, **change})
    assert response.status_code == 400
    assert [row["field"] for row in response.json()["error"]["details"]] == [field]
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "zone, moment",
    [
        ("Europe/Berlin", "0001-01-01T00:00:00"),
        ("America/New_York", "9999-12-31T23:59:59"),
        ("UTC", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_a_time_that_does_not_exist_in_utc_is_refused_on_the_page_and_over_the_api(grace, settings, zone, moment):
    settings.TIME_ZONE = zone
    response = ApiClient(grace).post("/api/api-keys", {**BODY, "expiresAt": moment})
    assert (response.status_code, [row["field"] for row in response.json()["error"]["details"]]) == (400, ["expiresAt"])

    with timezone.override(zone):
        field = MomentField()
        day, time = moment[:10], moment[11:19]
        if zone != "UTC":
            with pytest.raises(ValidationError):
                field.clean([day, time])
        assert field.clean(["2026-11-28", "12:00"]).utcoffset() == timedelta(0)


def test_a_wish_for_more_than_one_may_do_is_refused():
    owner = member_of("Owner")
    response = ApiClient(owner).post("/api/api-keys", {**BODY, "scopes": ["reviews:moderate", "nodes:read"]})
    assert response.status_code == 201, "the owner may all of this"
    owner.groups.clear()
    owner.user_permissions.add(Permission.objects.get(codename="add_apikey"))
    response = ApiClient(User.objects.get(pk=owner.pk)).post("/api/api-keys", BODY)
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == "scopes"


@pytest.mark.parametrize("group", ["Packer", "Catalogue", "Bookkeeper", "Support", "Payments"])
def test_only_owners_see_and_make_keys(group):
    client = ApiClient(member_of(group))
    assert client.get("/api/api-keys").status_code == 403
    assert client.post("/api/api-keys", BODY).status_code == 403


def test_a_guest_and_a_buyer_see_no_keys():
    assert ApiClient().get("/api/api-keys").status_code == 401
    assert ApiClient(UserFactory()).get("/api/api-keys").status_code == 403


@pytest.fixture
def with_factor(grace):
    SecondFactor.objects.create(user=grace, secret=new_secret(), confirmed_at=timezone.now())
    User.objects.filter(pk=grace.pk).update(has_second_factor=True)
    return User.objects.get(pk=grace.pk)


def log_in(user):
    code = code_at(SecondFactor.objects.get(user=user).secret, int(time.time()) // STEP_SECONDS)
    return ApiClient().post("/api/auth/login", {"username": user.username, "password": PASSWORD, "otp": code}).json()["data"]


def test_a_key_needs_a_fresh_code_from_who_has_a_second_factor(with_factor):
    logged_in = log_in(with_factor)
    client = ApiClient(HTTP_AUTHORIZATION=f"Bearer {logged_in['token']}")
    assert client.post("/api/api-keys", BODY).status_code == 201
    with patch("accounts.second_factor.time.time", return_value=timezone.now().timestamp() + 15 * 60 + 1):
        response = client.post("/api/api-keys", BODY)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "OTP_REQUIRED"


def test_a_refreshed_token_is_as_fresh_as_the_login_that_it_comes_from(with_factor):
    logged_in = log_in(with_factor)
    refreshed = ApiClient().post("/api/auth/refresh", {"refresh": logged_in["refresh"]}).json()["data"]["token"]
    assert AccessToken(refreshed)["codeAt"] == AccessToken(logged_in["token"])["codeAt"]


def test_a_new_password_is_no_fresh_code(with_factor):
    """Who stole a token and knows the password still has no code."""
    client = ApiClient(HTTP_AUTHORIZATION=f"Bearer {log_in(with_factor)['token']}")
    changed = client.put("/api/auth/password", {"currentPassword": PASSWORD, "newPassword": "another long horse"}, "application/json")
    client = ApiClient(HTTP_AUTHORIZATION=f"Bearer {changed.json()['data']['token']}")
    assert client.get("/api/api-keys").json()["error"]["code"] == "OTP_REQUIRED"
