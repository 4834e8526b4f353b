"""Nobody takes their own way into the admin by a slip, and the last superuser stays."""

import pytest

from accounts.models import User
from accounts.tests.factories import StaffFactory

pytestmark = pytest.mark.django_db(transaction=True)

ALL = ("is_active", "is_staff", "is_superuser")


@pytest.fixture
def grace(client):
    grace = StaffFactory(username="grace")
    client.force_login(grace)
    return grace


def save(client, user, *kept, **more):
    values = {"username": user.username, "email": user.email, "address": "{}"}
    return client.post(f"/admin/accounts/user/{user.pk}/change/", {**values, **dict.fromkeys(kept, "on"), **more})


def rights(user):
    return {name for name in ALL if getattr(User.objects.get(pk=user.pk), name)}


@pytest.mark.parametrize("taken", ALL)
def test_the_last_superuser_cannot_lose_the_way_in(client, grace, taken):
    StaffFactory(is_active=False)
    answer = save(client, grace, *(name for name in ALL if name != taken), confirmed="1")
    assert "This is the last superuser" in answer.text
    assert rights(grace) == set(ALL)


@pytest.mark.parametrize("taken", ALL)
def test_a_superuser_who_takes_it_from_themselves_is_asked_first(client, grace, taken):
    StaffFactory()
    kept = [name for name in ALL if name != taken]
    asked = save(client, grace, *kept, first_name="Grace")
    assert "You take this from your own account" in asked.text
    assert 'name="first_name" value="Grace"' in asked.text
    assert rights(grace) == set(ALL)

    save(client, grace, *kept, first_name="Grace", confirmed="1")

    assert rights(grace) == set(kept)
    assert User.objects.get(pk=grace.pk).first_name == "Grace"


def test_other_changes_are_not_asked_about_and_nobody_deletes_themselves(client, grace):
    ada = StaffFactory(username="ada")
    assert save(client, grace, *ALL).status_code == 302
    assert save(client, ada, "is_active").status_code == 302
    assert rights(ada) == {"is_active"}
    assert client.post(f"/admin/accounts/user/{grace.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(grace.pk), str(ada.pk)], "post": "yes"}
    client.post("/admin/accounts/user/", chosen)
    assert User.objects.filter(pk=grace.pk).exists()
