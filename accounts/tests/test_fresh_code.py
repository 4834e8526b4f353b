"""A new code before accounts are changed in the admin, and whom a reset of the second factor concerns."""

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import StaffFactory, UserFactory
from cryptons.audit.models import Entry
from cryptons.mail.models import Mail

pytestmark = pytest.mark.django_db

USERS = "/admin/accounts/user/"


def log_in(client, *rights, **flags):
    """As staff with these rights whose last code is too old."""
    staff = StaffFactory(has_second_factor=True, **flags)
    staff.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(staff)


def chosen(action, user):
    return {"action": action, "_selected_action": [str(user.pk)], "post": "yes"}


@pytest.mark.parametrize("is_superuser", [True, False])
def test_deleting_closing_and_logging_out_an_account_ask_for_a_new_code(client, is_superuser):
    log_in(client, "view_user", "change_user", "delete_user", is_superuser=is_superuser)
    buyer = UserFactory()
    acts = [
        (f"{USERS}{buyer.pk}/delete/", {"post": "yes"}),
        (f"{USERS}{buyer.pk}/change/", {"is_active": ""}),
        (USERS, chosen("delete_selected", buyer)),
        (USERS, chosen("log_out_everywhere", buyer)),
    ]
    assert [client.post(page, data)["Location"] for page, data in acts] == [f"/account/second-factor/code/?next={page}" for page, _ in acts]
    buyer.refresh_from_db()
    assert (buyer.is_active, buyer.token_generation) == (True, 0)


def test_who_can_only_look_at_users_needs_no_new_code(client):
    log_in(client, "view_user", is_superuser=False)
    assert client.get(f"{USERS}{UserFactory().pk}/change/").status_code == 200


def test_resetting_the_second_factor_of_who_has_none_does_nothing(client):
    client.force_login(StaffFactory())
    buyer = UserFactory()
    client.post(USERS, chosen("reset_second_factor", buyer))
    buyer.refresh_from_db()
    assert buyer.token_generation == 0
    assert not Mail.objects.filter(to=buyer.email).exists()
    assert not Entry.objects.filter(object_id=str(buyer.pk)).exists()
