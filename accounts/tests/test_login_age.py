"""Sessions end when staff are away, and in any case some day; a logout empties the browser."""

from types import SimpleNamespace

import pytest

from accounts import middleware, tokens
from accounts.tests.factories import ApiClient, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

HOUR, DAY = 3600, 86_400


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    now = SimpleNamespace(seconds=1_800_000_000)
    for module in (middleware, tokens):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now.seconds))
    return now


def pages(client, clock, *hours):
    """Return the status of a page at each of these hours after the last one."""
    answers = []
    for later in hours:
        clock.seconds += later * HOUR
        answers.append(client.get("/account/").status_code)
    return answers


def test_the_session_of_staff_ends_after_12_idle_hours(client, clock):
    client.force_login(StaffFactory())

    assert pages(client, clock, 11, 11, 11) == [200, 200, 200]
    assert pages(client, clock, 12.1, 0) == [302, 302]
    assert client.get("/admin/").status_code == 302


def test_the_session_of_staff_ends_after_a_week_however_busy_they_are(client, clock):
    client.force_login(StaffFactory())
    assert pages(client, clock, *[10] * 17) == [200] * 16 + [302]


def test_the_session_of_a_buyer_is_not_idle_after_a_day_but_ends_after_30(client, clock):
    client.force_login(UserFactory())
    assert pages(client, clock, 24, 24 * 28, 25) == [200, 200, 302]


def test_a_session_of_staff_that_does_not_say_when_it_began_ends(client, clock):
    client.force_login(StaffFactory())
    session = client.session
    del session[middleware.STARTED], session[middleware.SEEN]
    session.save()

    assert pages(client, clock, 0) == [302]


def test_a_buyers_session_of_an_older_version_ends_30_days_after_it_is_first_seen(client, clock):
    client.force_login(UserFactory())
    session = client.session
    del session[middleware.STARTED], session[middleware.SEEN]
    session.save()

    assert pages(client, clock, 24, 24 * 29, 25) == [200, 200, 302]


def test_who_becomes_staff_must_log_in_again_after_12_hours(client, clock):
    user = UserFactory()
    client.force_login(user)
    user.is_staff = True
    user.save()
    assert pages(client, clock, 1, 12.1) == [200, 302]


def test_a_login_over_the_api_cannot_be_refreshed_for_ever(clock):
    token = tokens.issue(UserFactory())["refresh"]
    for days, status in [(29, 200), (29, 200), (29, 200), (4, 401)]:
        clock.seconds += days * DAY
        answer = ApiClient().post("/api/auth/refresh", {"refresh": token})
        assert answer.status_code == status
        token = answer.json().get("data", {}).get("refresh")


@pytest.mark.parametrize("path", ["/account/logout/", "/admin/logout/"])
def test_a_logout_clears_what_the_browser_kept(client, path):
    client.force_login(StaffFactory())
    assert "Clear-Site-Data" not in client.get("/account/")
    assert client.post(path)["Clear-Site-Data"] == '"cache", "storage"'


@pytest.mark.parametrize(
    "path",
    ["/account/", "/account/address/", "/account/password/", "/account/email/", "/account/second-factor/", "/account/orders/", "/admin/"],
)
def test_every_page_of_an_account_can_log_out(client, path):
    client.force_login(StaffFactory())
    page = client.get(path).content.decode()
    form = page[page.index("/logout/") :]
    assert "csrfmiddlewaretoken" in form[: form.index("</form>")]
