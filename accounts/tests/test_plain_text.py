"""Names and addresses are one line without links, on pages, in the API and in the admin: the shop mails them to people."""

import pytest

from accounts.plain_text import text_problem
from accounts.tests.factories import ApiClient, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

LINE = "Must be one line of text, without control characters."
LINK = "Must not contain a link."
BAD = {
    "line break": ("Dear customer\n\nyour account is locked", LINE),
    "carriage return": ("Ada\rBcc: x", LINE),
    "tabulator": ("Ada\tLovelace", LINE),
    "NUL": ("Ada\x00", LINE),
    "escape": ("Ada\x1b[31m", LINE),
    "C1": ("Ada\x85Lovelace", LINE),
    "line separator": ("Ada\u2028Lovelace", LINE),
    "paragraph separator": ("Ada\u2029Lovelace", LINE),
    "override": ("Ada \u202egnp.exe", LINE),
    "isolate": ("Ada \u2066x", LINE),
    "https": ("unlock: https://evil.example/x", LINK),
    "any scheme": ("TG://resolve", LINK),
    "www": ("see WWW.evil.example", LINK),
    "full width": ("ｗｗｗ．evil.example", LINK),
}
ADDRESS = {"name": "Ada Lovelace", "street": "12 Example Road", "city": "London", "postalCode": "N1 1AA", "country": "GB"}


@pytest.mark.parametrize("kind", BAD)
def test_control_characters_and_links_are_refused(kind):
    text, problem = BAD[kind]
    assert text_problem(text) == problem


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace",
        "O\u2019Neil & S\u00f8n",
        "\u05d0\u05d3\u05d4",
        "\U0001f469\u200d\U0001f680",
        "St. Gallen",
        "c/o 1:2",
        "\u0646\u0647\u200c\u062a",
        "Weg 3 // 4",
    ],
)
def test_names_and_streets_of_people_are_accepted(text):
    assert text_problem(text) == ""


def test_the_profile_in_the_api_names_each_field():
    body = {"firstName": "a\nb", "lastName": "www.evil.example", "phone": "\u202e1", "address": {**ADDRESS, "street": "https://x"}}
    answer = ApiClient(UserFactory()).put("/api/auth/profile", body, content_type="application/json")
    assert answer.status_code == 400
    assert {row["field"] for row in answer.json()["error"]["details"]} == {"firstName", "lastName", "phone", "address.street"}


@pytest.mark.parametrize("field", ["first_name", "last_name", "phone"])
def test_the_profile_page_marks_the_field(client, field):
    user = UserFactory()
    client.force_login(user)
    answer = client.post("/account/", {field: "www.evil.example"})
    user.refresh_from_db()
    assert (answer.status_code, getattr(user, field)) == (400, "")
    assert LINK in answer.text


def test_the_address_page_marks_the_field(client):
    client.force_login(UserFactory())
    answer = client.post("/account/address/", {**ADDRESS, "city": "https://evil.example"})
    assert answer.status_code == 400
    assert LINK in answer.text


def test_a_username_cannot_be_a_link(client):
    values = {"username": "www.evil.example", "email": "eve@example.com", "password": "correct horse battery"}
    assert client.post("/account/register/", values).status_code == 400
    assert ApiClient().post("/api/auth/register", values).status_code == 400


def test_the_admin_marks_the_fields(client):
    client.force_login(StaffFactory())
    user = UserFactory()
    path = f"/admin/accounts/user/{user.pk}/change/"
    values = {
        **{name: value for name, value in client.get(path).context["adminform"].form.initial.items() if isinstance(value, str)},
        "first_name": "www.evil.example",
        "address": '{"name": "a", "street": "b", "city": "https://x", "postalCode": "1", "country": "GB"}',
    }
    answer = client.post(path, values)
    assert answer.status_code == 200
    assert LINK in str(answer.context["adminform"].form.errors["first_name"])
    assert f"city: {LINK}" in str(answer.context["adminform"].form.errors["address"])
