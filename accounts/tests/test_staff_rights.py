"""Only a superuser gives rights or gets at the accounts of staff; others who may change users help buyers."""

import json

import pytest
from django.contrib.auth.models import Group, Permission

from accounts.models import User
from accounts.tests.factories import StaffFactory, UserFactory
from cryptons.mail.models import Mail

pytestmark = pytest.mark.django_db

PASSWORD = "a longer battery staple"


@pytest.fixture
def clerk(client):
    """Somebody with every right over users and groups, who is no superuser."""
    clerk = StaffFactory(is_superuser=False)
    clerk.user_permissions.set(Permission.objects.filter(content_type__model__in=["user", "group", "mail"]))
    client.force_login(clerk)
    return clerk


def form(user: User, **values: object) -> dict[str, object]:
    return {"username": user.username, "email": user.email, "address": "{}", "is_active": "on", **values}


def test_the_old_address_is_told_when_staff_change_it(client, clerk):
    buyer = UserFactory(email="ada@example.com")
    for values in ({"first_name": "Ada"}, {"email": "ADA@example.com"}, {"email": "ada@example.org"}):
        assert client.post(f"/admin/accounts/user/{buyer.pk}/change/", form(buyer, **values)).status_code == 302
    (mail,) = Mail.objects.all()
    assert mail.to == "ada@example.com"
    assert "was changed" in mail.subject
    assert "/account/link/" not in mail.text


def rights_of(user: User) -> tuple[object, ...]:
    user = User.objects.get(pk=user.pk)
    return user.is_staff, user.is_superuser, user.groups.count(), user.user_permissions.count()


def all_rights() -> dict[str, object]:
    right = Permission.objects.get(codename="add_payout")
    return {"is_staff": "on", "is_superuser": "on", "groups": [Group.objects.create(name="all").pk], "user_permissions": [right.pk]}


def test_who_is_no_superuser_gives_a_buyer_no_right(client, clerk):
    buyer = UserFactory()
    answer = client.post(f"/admin/accounts/user/{buyer.pk}/change/", form(buyer, first_name="Ada", **all_rights()))
    assert answer.status_code == 302
    assert User.objects.get(pk=buyer.pk).first_name == "Ada"
    assert rights_of(buyer) == (False, False, 0, 0)


def test_a_stored_address_that_would_not_do_today_stops_no_other_change(client, clerk):
    old = {"name": "Ada", "street": "1 Road", "city": "Austin", "postalCode": "78701", "country": "US"}
    buyer = UserFactory(address=old)
    page, shown = f"/admin/accounts/user/{buyer.pk}/change/", {"initial-address": json.dumps(old)}

    assert client.post(page, form(buyer, phone="555", **shown, address=json.dumps(old))).status_code == 302
    assert client.post(page, form(buyer, phone="777", **shown, address=json.dumps(old | {"city": "Dallas"}))).status_code == 200

    assert User.objects.get(pk=buyer.pk).phone == "555"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("whose", ["own", "colleague", "former staff"])
def test_who_is_no_superuser_cannot_touch_an_account_of_staff(client, clerk, whose):
    flags = {"colleague": {}, "former staff": {"is_staff": False}}
    user = clerk if whose == "own" else StaffFactory(**flags[whose])
    before, password = rights_of(user), User.objects.get(pk=user.pk).password
    page = f"/admin/accounts/user/{user.pk}"

    new_password = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    answers = [
        client.post(f"{page}/change/", form(user, first_name="Eve", **all_rights())),
        client.post(f"{page}/password/", new_password),
        client.post(f"{page}/delete/", {"post": "yes"}),
        client.post("/admin/accounts/user/", {"action": "log_out_everywhere", "_selected_action": [str(user.pk)]}),
    ]
    client.post("/admin/accounts/user/", {"action": "delete_selected", "_selected_action": [str(user.pk)], "post": "yes"})

    assert [answer.status_code for answer in answers] == [403] * 4
    after = User.objects.get(pk=user.pk)
    assert (rights_of(after), after.password, after.first_name, after.token_generation) == (before, password, "", 0)


def test_an_account_that_a_clerk_adds_has_no_rights(client, clerk):
    values = {"username": "eve", "email": "eve@example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    client.post("/admin/accounts/user/add/", {**values, **all_rights()})
    assert rights_of(User.objects.get(username="eve")) == (False, False, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_only_a_superuser_adds_changes_or_deletes_a_group(client, clerk):
    group = Group.objects.create(name="Packers")
    page = f"/admin/auth/group/{group.pk}"
    assert client.get(f"{page}/change/").status_code == 200
    for path, body in (("/admin/auth/group/add/", {"name": "x"}), (f"{page}/change/", {"name": "x"}), (f"{page}/delete/", {"post": "yes"})):
        assert client.post(path, body).status_code == 403
    assert list(Group.objects.values_list("name", flat=True)) == ["Packers"]


def test_a_superuser_gives_rights_and_takes_them(client):
    client.force_login(StaffFactory())
    colleague = UserFactory()
    client.post(f"/admin/accounts/user/{colleague.pk}/change/", form(colleague, **all_rights()))
    assert rights_of(colleague) == (True, True, 1, 1)
    client.post(f"/admin/accounts/user/{colleague.pk}/change/", form(colleague))
    assert rights_of(colleague) == (False, False, 0, 0)
    answer = client.post(f"/admin/auth/group/{Group.objects.get().pk}/change/", {"name": "none"})
    assert (answer.status_code, Group.objects.get().name) == (302, "none")


def test_the_key_of_a_mailed_link_cannot_be_found_out_by_filters(client, clerk):
    key = "k" * 40
    Mail.objects.create(key="1", to="ada@example.com", subject="Your money", text=f"https://x.example/refund/{key}/", html="")
    right, wrong = (client.get("/admin/mail/mail/", {"text__contains": f"/refund/{start}"}) for start in ("kk", "xx"))
    assert (right.status_code, wrong.status_code) == (400, 400)
    assert client.get("/admin/mail/mail/", {"sent_at__isnull": "True"}).status_code == 200


def test_nobody_edits_when_an_account_was_made_and_last_used(client):
    client.force_login(StaffFactory())
    buyer = User.objects.get(pk=UserFactory().pk)  # MongoDB keeps milliseconds
    client.post(f"/admin/accounts/user/{buyer.pk}/change/", form(buyer, date_joined_0="2020-01-01", date_joined_1="12:00:00"))
    assert User.objects.get(pk=buyer.pk).date_joined == buyer.date_joined
