"""Staff make and revoke API keys in the admin."""

import re

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.api_keys import make_key
from accounts.groups import make_ready_groups
from accounts.models import ApiKey, SecondFactor, User
from accounts.one_time_codes import new_secret
from accounts.tests.factories import ApiClient, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

ADD = "/admin/accounts/apikey/add/"
FORM = {"name": "ERP", "scopes": ["orders:read"], "expires_at_0": "", "expires_at_1": "", "allowed_ips": ""}


@pytest.fixture
def grace(client):
    user = StaffFactory(username="grace")
    client.force_login(user)
    return user


def test_a_new_key_is_shown_on_one_page_only(client, grace):
    response = client.post(ADD, {**FORM, "allowed_ips": "127.0.0.1\n192.0.2.0/24"})
    text = re.search(r"ck_[\w-]{43}", response.content.decode())[0]
    assert "no-store" in response.headers["Cache-Control"]
    assert ApiKey.objects.get().allowed_ips == ["127.0.0.1", "192.0.2.0/24"]
    assert ApiClient(HTTP_AUTHORIZATION=f"Bearer {text}").get("/api/orders?all=true").status_code == 200
    for path in ("/admin/accounts/apikey/", f"/admin/accounts/apikey/{ApiKey.objects.get().pk}/change/"):
        page = client.get(path).content.decode()
        assert text not in page
        assert text[:10] in page


@pytest.mark.parametrize(
    "change, words",
    [
        ({"allowed_ips": "somewhere"}, "somewhere: This is no IP address or network"),
        ({"scopes": []}, "This field is required"),
        ({"scopes": ["api-keys:write"]}, "Select a valid choice"),
        ({"expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"}, "Must be in the future"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(client, grace, change, words):
    assert words in client.post(ADD, {**FORM, **change}).content.decode()
    assert not ApiKey.objects.exists()


def test_the_form_offers_what_the_maker_may_do(client):
    make_ready_groups()
    owner = UserFactory(is_staff=True)
    owner.groups.add(Group.objects.get(name="Owner"))
    client.force_login(owner)
    offered = set(re.findall(r'name="scopes" value="([^"]+)"', client.get(ADD).content.decode()))
    assert "payouts:send" in offered
    assert "api-keys:write" not in offered


@pytest.mark.django_db(transaction=True)
def test_a_key_cannot_be_changed_but_is_revoked(client, grace):
    key, text = make_key(grace, "ERP", ["payments:read"])
    change = f"/admin/accounts/apikey/{key.pk}/change/"
    assert client.post(change, {**FORM, "name": "Other"}).status_code == 403
    client.post(f"/admin/accounts/apikey/{key.pk}/delete/", {"post": "yes"})
    assert ApiClient(HTTP_AUTHORIZATION=f"Bearer {text}").get("/api/payments").status_code == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("group", ["Packer", "Catalogue", "Bookkeeper", "Support", "Payments"])
def test_other_staff_make_no_keys(client, group):
    make_ready_groups()
    user = UserFactory(is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    assert client.post(ADD, FORM).status_code == 403
    assert client.get("/admin/accounts/apikey/").status_code == 403
    assert not ApiKey.objects.exists()


def test_making_and_revoking_a_key_asks_for_a_fresh_code(client, grace):
    key, _ = make_key(grace, "ERP", ["payments:read"])
    SecondFactor.objects.create(user=grace, secret=new_secret(), confirmed_at=timezone.now())
    User.objects.filter(pk=grace.pk).update(has_second_factor=True)
    for path, form in ((ADD, FORM), (f"/admin/accounts/apikey/{key.pk}/delete/", {"post": "yes"})):
        assert client.post(path, form).headers["Location"].startswith("/account/second-factor/"), path
    selected = {"action": "delete_selected", "_selected_action": [str(key.pk)], "post": "yes"}
    client.post("/admin/accounts/apikey/", selected)
    assert ApiKey.objects.get() == key


def test_date_and_time_of_the_expiry_have_a_name_each(client, grace):
    text = client.get(ADD).content.decode()
    for number, name in enumerate(("Date", "Time")):
        tag = re.search(rf'<input[^>]*name="expires_at_{number}"[^>]*>', text)[0]
        assert f'aria-label="{name}"' in tag
