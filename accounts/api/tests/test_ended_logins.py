"""What ends a login: a new password however it was set, a closed or deleted account, a logout, a stolen refresh token."""

from io import StringIO
from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import RevokedToken, User
from accounts.tests.factories import PASSWORD, ApiClient, StaffFactory, UserFactory
from accounts.tokens import _family, issue, read, revoke_all
from cryptons.db import in_transaction

pytestmark = pytest.mark.django_db

NEW = "another long horse"


@pytest.fixture
def ada():
    return UserFactory(username="ada", email="ada@example.com", is_staff=True)


def bearer(token):
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def status(token):
    return ApiClient().get("/api/auth/profile", **bearer(token)).status_code


def refresh(token):
    return ApiClient().post("/api/auth/refresh", {"refresh": token})


class Logins:
    """A thief's session and tokens."""

    def __init__(self, user):
        self.tokens, self.client = issue(user), Client()
        self.client.force_login(user)

    def work(self):
        """Return whether the token, the refresh token and the session are good; asked for so that a cached answer would show."""
        return status(self.tokens["token"]), refresh(self.tokens["refresh"]).status_code, self.client.get("/account/").status_code


ENDED = (401, 401, 302)


def on_the_page(user):
    client = Client()
    client.force_login(user)
    assert client.post("/account/password/", {"current": PASSWORD, "new": NEW}).status_code == 302


def over_the_api(user):
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    assert ApiClient(user).put("/api/auth/password", body, content_type="application/json").status_code == 200


def by_staff_in_the_admin(user):
    client = Client()
    client.force_login(StaffFactory())
    data = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert client.post(f"/admin/accounts/user/{user.pk}/password/", data).status_code == 302


def by_the_command(user):
    with patch("getpass.getpass", return_value=NEW):
        call_command("changepassword", user.username, stdout=StringIO())


def in_the_shell(user):
    user = User.objects.get(pk=user.pk)
    user.set_password(NEW)
    user.save()


def as_a_hash(user):
    user = User.objects.get(pk=user.pk)
    user.password = UserFactory(password=NEW).password
    user.save(update_fields=["password"])


@pytest.mark.parametrize(
    "set_password",
    [on_the_page, over_the_api, by_staff_in_the_admin, by_the_command, in_the_shell, as_a_hash],
    ids=lambda way: way.__name__,
)
def test_a_new_password_ends_every_login_however_it_was_set(ada, set_password):
    thief = Logins(ada)
    assert status(thief.tokens["token"]) == 200

    set_password(ada)

    assert thief.work() == ENDED


def deactivate(user):
    user.is_active = False
    user.save()


def deactivate_in_the_admin(user):
    client = Client()
    client.force_login(StaffFactory())
    data = {"username": user.username, "email": user.email, "address": "{}", "is_staff": "on"}
    data |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    assert client.post(f"/admin/accounts/user/{user.pk}/change/", data).status_code == 302


def take_staff_away(user):
    user.is_staff = False
    user.save(update_fields=["is_staff"])


def log_out_everywhere(user):
    client = Client()
    client.force_login(StaffFactory())
    client.post("/admin/accounts/user/", {"action": "log_out_everywhere", "_selected_action": [str(user.pk)]})


@pytest.mark.parametrize("end", [deactivate, deactivate_in_the_admin, take_staff_away, log_out_everywhere], ids=lambda way: way.__name__)
def test_logins_stay_ended_when_the_account_is_opened_again(ada, end):
    thief = Logins(ada)

    end(User.objects.get(pk=ada.pk))
    again = User.objects.get(pk=ada.pk)
    again.is_active = again.is_staff = True
    again.save()

    assert thief.work() == ENDED


def test_what_changes_nothing_about_the_login_ends_none(ada):
    mine = Logins(ada)

    user = User.objects.get(pk=ada.pk)
    user.first_name = "Ada"
    user.save()
    user.refresh_from_db()
    user.check_password(PASSWORD)
    user.save()

    assert mine.work() == (200, 200, 200)


def test_an_old_copy_of_the_user_brings_no_ended_login_back(ada):
    thief, old_copy = Logins(ada), User.objects.get(pk=ada.pk)
    User.objects.get(pk=ada.pk).end_logins()

    old_copy.first_name = "Ada"
    old_copy.save()

    assert thief.work() == ENDED


def test_a_refresh_token_that_is_used_twice_ends_its_family_and_no_other(ada):
    stolen, other = issue(ada), issue(ada)
    first = refresh(stolen["refresh"]).json()["data"]
    assert refresh(first["refresh"]).status_code == 200

    assert refresh(stolen["refresh"]).status_code == 401

    assert (status(stolen["token"]), status(first["token"]), refresh(first["refresh"]).status_code) == (401, 401, 401)
    assert (status(other["token"]), refresh(other["refresh"]).status_code) == (200, 200)


def test_a_logout_ends_the_refresh_token_without_naming_it(ada):
    mine, other = issue(ada), issue(ada)
    newer = refresh(mine["refresh"]).json()["data"]

    assert ApiClient().post("/api/auth/logout", {}, **bearer(newer["token"])).status_code == 200

    assert (status(mine["token"]), status(newer["token"]), refresh(newer["refresh"]).status_code) == (401, 401, 401)
    assert status(other["token"]) == 200


def test_after_a_logout_in_another_process_nothing_is_written_and_nothing_refreshed(ada):
    mine = issue(ada)
    assert status(mine["token"]) == 200

    RevokedToken.objects.create(jti=_family(read(mine["token"], AccessToken)[1]["jti"]), expires_at=timezone.now())

    answer = ApiClient().put("/api/auth/profile", {"firstName": "Eve"}, content_type="application/json", **bearer(mine["token"]))
    assert (answer.status_code, refresh(mine["refresh"]).status_code) == (401, 401)


def test_a_user_who_was_read_while_their_tokens_were_being_revoked_is_forgotten_after_it(ada, django_capture_on_commit_callbacks):
    token = issue(ada)["token"]
    assert status(token) == 200
    kept = cache.get(f"user:{ada.pk}")

    def revoke_while_another_reads() -> None:
        revoke_all(ada)
        cache.set(f"user:{ada.pk}", kept)

    with django_capture_on_commit_callbacks(execute=True):
        in_transaction(revoke_while_another_reads)

    assert status(token) == 401


@pytest.mark.parametrize("is_cached", [True, False])
def test_the_token_of_a_deleted_user_is_refused_everywhere(ada, is_cached):
    """Another process may know the user for some seconds longer; nothing is written for it."""
    tokens = issue(ada)
    assert status(tokens["token"]) == 200
    kept = cache.get(f"user:{ada.pk}")
    User.objects.get(pk=ada.pk).delete()
    if is_cached:
        cache.set(f"user:{ada.pk}", kept)

    token = bearer(tokens["token"])
    body = {"productId": str(ada.pk), "quantity": 1}
    answers = [
        refresh(tokens["refresh"]),
        *(ApiClient().post(f"/api/{path}", data, **token) for path, data in [("auth/logout", {}), ("cart/items", body), ("orders", {})]),
        ApiClient().put("/api/auth/profile", {"firstName": "Ada"}, content_type="application/json", **token),
        ApiClient().put("/api/auth/password", {"currentPassword": PASSWORD, "newPassword": NEW}, content_type="application/json", **token),
        *(ApiClient().get(f"/api/{path}", **token) for path in ["auth/profile", "cart", "orders"]),
    ]

    assert [answer.status_code for answer in answers] == [401] * len(answers)


@pytest.mark.parametrize("path", ["auth/profile", "cart", "orders", "auth/logout"])
def test_what_another_process_remembers_of_a_deleted_user_is_no_error(ada, path):
    token = issue(ada)["token"]
    assert status(token) == 200
    kept = cache.get(f"user:{ada.pk}")
    User.objects.get(pk=ada.pk).delete()
    cache.set(f"user:{ada.pk}", kept)

    assert ApiClient().get(f"/api/{path}", **bearer(token)).status_code in (200, 401, 405)


def test_a_user_who_is_deleted_in_the_admin_is_forgotten_at_once(ada):
    token = issue(ada)["token"]
    assert status(token) == 200
    client = Client()
    client.force_login(StaffFactory())

    client.post("/admin/accounts/user/", {"action": "delete_selected", "_selected_action": [str(ada.pk)], "post": "yes"})

    assert status(token) == 401


def test_a_token_of_version_0_2_is_good_until_it_is_used_or_given_back(ada):
    from rest_framework_simplejwt.tokens import RefreshToken

    token = RefreshToken()
    token["userId"], token["jti"] = str(ada.pk), f"0.{'a' * 32}"
    assert read(str(token), RefreshToken)[0] == ada

    assert refresh(str(token)).status_code == 200
    assert refresh(str(token)).status_code == 401
