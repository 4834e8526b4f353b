import pytest

from accounts.tests.factories import ApiClient, StaffFactory
from cryptons.audit.models import Entry
from shop.settings.models import ShopSettings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff():
    return ApiClient(StaffFactory.create())


def change(client, values):
    return client.patch("/api/settings", values, content_type="application/json")


def test_everybody_reads_the_settings_and_a_shop_without_any_says_what_the_environment_does(client, settings):
    settings.SHOP_NAME = "Kettles"

    answer = client.get("/api/settings")

    assert answer.headers["ETag"]
    data = answer.json()["data"]
    assert data["name"] == "Kettles"
    assert data["languages"] == ["en", "de"]
    assert (data["logo"], data["favicon"], data["version"]) == (None, None, 0)


def test_a_change_is_in_the_next_answer_and_on_the_pages(client, staff):
    client.get("/api/settings")

    answer = change(staff, {"name": "Kettle & Thread", "vatId": "DE 123456789", "homeTitle": {"en": "Tea"}, "version": 0})

    assert answer.status_code == 200
    data = client.get("/api/settings").json()["data"]
    assert data == answer.json()["data"]
    assert (data["name"], data["vatId"], data["homeTitle"], data["version"]) == ("Kettle & Thread", "DE123456789", {"en": "Tea"}, 1)
    assert "<h1>Tea</h1>" in client.get("/").text
    assert Entry.objects.filter(object_type="shopsettings").get().way == "api"


def test_an_older_version_is_a_409(staff):
    change(staff, {"name": "Kettles"})

    answer = change(staff, {"name": "Cups", "version": 0})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert ShopSettings.objects.get().name == "Kettles"


def test_each_wrong_value_has_a_row_with_the_name_that_clients_use(staff):
    answer = change(staff, {"accentDark": "#0d5c52", "vatId": "DE12", "email": "nobody", "homeText": {"fr": "Bonjour"}})

    assert answer.status_code == 400
    assert {row["field"] for row in answer.json()["error"]["details"]} == {"accentDark", "vatId", "email", "homeText"}
    assert not ShopSettings.objects.exists()


@pytest.mark.parametrize("body", [{}, {"version": 0}, {"logo": "x"}, {"name": 5}, {"homeTitle": "Tea"}, {"homeTitle": {"en": None}}, []])
def test_a_body_that_changes_nothing_or_has_other_types_is_a_400(staff, body):
    assert change(staff, body).status_code == 400
