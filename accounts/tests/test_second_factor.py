"""A second factor: set up, logging in with it, staff who lack it, and asking again."""

import re
from io import StringIO
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Permission
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, RequestFactory

from accounts import login_steps, second_factor
from accounts.models import RecoveryCode, SecondFactor, User
from accounts.one_time_codes import code_at
from accounts.tests.factories import PASSWORD, ApiClient, StaffFactory, UserFactory
from accounts.tokens import forget_user, issue
from cryptons.api.limits import forget_counts

pytestmark = pytest.mark.django_db

SET_UP, STATUS, CODE_PAGE = "/account/second-factor/set-up/", "/account/second-factor/", "/account/login/code/"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The time of codes, at which the tests' codes are made too."""
    forget_counts()
    now = SimpleNamespace(seconds=1_800_000_000)
    for module in (second_factor, login_steps):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now.seconds))
    return now


@pytest.fixture
def code(clock):
    """Returns what the app shows after so many seconds."""
    return lambda later=0, secret=SECRET: code_at(secret, (clock.seconds + later) // 30)


def protect(user):
    """Give the user a second factor. Returns the recovery codes."""
    SecondFactor.objects.create(user=user, secret=SECRET, confirmed_at=user.date_joined)
    User.objects.filter(pk=user.pk).update(has_second_factor=True)
    user.refresh_from_db()
    forget_user(user.pk)
    return second_factor.renew_recovery_codes(user)


def check_code(user, typed):
    forget_counts()
    return second_factor.check_code(RequestFactory().post("/"), user, typed)


@pytest.fixture
def ada():
    return UserFactory(username="ada", email="ada@example.com")


@pytest.fixture
def protected(ada):
    protect(ada)
    return ada


def type_password(client, user, **more):
    return client.post("/account/login/", {"name": user.username, "password": PASSWORD, **more})


def is_logged_in(client):
    return client.get("/account/").status_code == 200


def api_login(**values):
    answer = ApiClient().post("/api/auth/login", {"password": PASSWORD, **values})
    return answer.status_code, answer.json().get("error", {}).get("code")


def test_a_user_sets_it_up_with_password_and_code_and_sees_the_recovery_codes_once(client, ada, code):
    other, token = Client(), issue(ada)["token"]
    client.force_login(ada)
    other.force_login(ada)
    assert client.post(STATUS)["Location"] == SET_UP

    page = client.get(SET_UP).content.decode()
    secret = re.search(r'second-factor__key">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    assert "<svg" in page
    assert secret == SecondFactor.objects.get().secret

    answer = client.post(SET_UP, {"password": PASSWORD, "code": code(secret=secret)})
    shown = [text.replace(" ", "") for text in re.findall(r"<li><code>([A-Z2-7 ]+)</code>", answer.content.decode())]

    ada.refresh_from_db()
    assert (len(shown), ada.has_second_factor, is_logged_in(client)) == (10, True, True)
    assert not [stored for stored in RecoveryCode.objects.values_list("digest", flat=True) if stored in shown]
    assert shown[0] not in client.get(STATUS).content.decode()
    assert client.get(SET_UP)["Location"] == STATUS
    assert not is_logged_in(other)
    assert ApiClient().get("/api/auth/profile", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 401


@pytest.mark.parametrize(("typed", "field"), [({"password": "wrong"}, "password"), ({"code": "000000"}, "code"), ({"code": ""}, "code")])
def test_it_is_not_switched_on_by_a_wrong_password_or_code(client, ada, code, typed, field):
    SecondFactor.objects.create(user=ada, secret=SECRET)
    client.force_login(ada)

    answer = client.post(SET_UP, {"password": PASSWORD, "code": code(), **typed})

    assert (answer.status_code, list(answer.context["form"].errors)) == (400, [field])
    assert api_login(username="ada") == (200, None)


def test_to_begin_again_does_not_undo_what_was_confirmed_at_the_same_moment(ada, monkeypatch):
    SecondFactor.objects.create(user=ada, secret=SECRET)

    def confirm_meanwhile():
        SecondFactor.objects.update(confirmed_at=ada.date_joined)
        return "A" * 32

    monkeypatch.setattr(second_factor, "new_secret", confirm_meanwhile)
    second_factor.begin(ada)

    factor = SecondFactor.objects.get()
    assert (factor.secret, factor.confirmed_at is None) == (SECRET, False)


def test_to_begin_again_makes_a_new_secret_before_it_is_confirmed(ada):
    first, second = second_factor.begin(ada).secret, second_factor.begin(ada).secret
    assert first != second
    assert SecondFactor.objects.get().secret == second


def test_the_secret_is_encrypted_in_the_database(ada, settings):
    settings.FIELD_ENCRYPTION_KEY = ["k" * 32]
    second_factor.begin(ada)
    plain = SecondFactor.objects.get().secret

    if connection.vendor == "mongodb":
        stored = connection.database["accounts_secondfactor"].find_one()["secret"]
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT secret FROM accounts_secondfactor")
            stored = cursor.fetchone()[0]

    assert stored.startswith("sealed:")
    assert plain not in stored


def test_a_login_asks_for_the_code_after_the_password(client, protected, code):
    answer = type_password(client, protected, next="/checkout/")
    assert answer["Location"] == CODE_PAGE
    assert not is_logged_in(client)

    wrong = client.post(CODE_PAGE, {"code": "000000"})
    assert (wrong.status_code, is_logged_in(client)) == (400, False)

    assert client.post(CODE_PAGE, {"code": code()})["Location"] == "/checkout/"
    assert is_logged_in(client)


def test_staff_log_in_to_the_admin_with_the_code_too(client, code):
    staff = StaffFactory()
    protect(staff)
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/account/login/?next=/admin/"

    type_password(client, staff, next="/admin/")
    assert client.get("/admin/").status_code == 302
    client.post(CODE_PAGE, {"code": code()})

    assert client.get("/admin/").status_code == 200


def test_the_code_page_opens_only_after_the_password(client, protected, code):
    assert client.post(CODE_PAGE, {"code": code()})["Location"] == "/account/login/"
    assert not is_logged_in(client)


@pytest.mark.parametrize("change", ["later", "closed", "new password"])
def test_a_password_that_was_typed_before_counts_no_longer(client, protected, code, clock, change):
    type_password(client, protected)
    if change == "later":
        clock.seconds += 601
    elif change == "closed":
        User.objects.filter(pk=protected.pk).update(is_active=False)
    else:
        protected.set_password("another long horse")
        protected.save()

    assert client.post(CODE_PAGE, {"code": code()})["Location"] == "/account/login/"
    assert not is_logged_in(client)


def test_a_code_counts_once_and_an_older_one_no_more(protected, code):
    assert check_code(protected, code())

    assert [check_code(protected, typed) for typed in (code(), code(-30), code(30), code(30))] == [False, False, True, False]


@pytest.mark.parametrize("later", [-60, 60, 3600])
def test_a_code_of_another_time_is_wrong(protected, code, later):
    assert not check_code(protected, code(later))


def test_a_recovery_code_counts_once_and_only_for_its_user(ada):
    codes, others = protect(ada), protect(UserFactory())
    assert len(codes) == 10

    tried = [codes[0].lower(), codes[0], codes[1], others[0], ""]
    assert [check_code(ada, typed) for typed in tried] == [True, False, True, False, False]
    assert second_factor.count_recovery_codes(ada) == 8


def test_an_api_login_needs_the_code(protected, code):
    assert api_login(email="ada@example.com") == (401, "OTP_REQUIRED")
    assert api_login(email="ada@example.com", otp="000000") == (401, "UNAUTHORIZED")
    assert api_login(email="ada@example.com", otp=code(), password="wrong") == (401, "UNAUTHORIZED")
    assert api_login(username="ada", otp=code()) == (200, None)
    assert api_login(username="ada", otp=code()) == (401, "UNAUTHORIZED")


def test_a_wrong_password_does_not_tell_that_there_is_a_second_factor(protected):
    assert api_login(username="ada", password="wrong") == (401, "UNAUTHORIZED")


def test_who_has_none_logs_in_with_or_without_a_code(ada):
    assert api_login(username="ada") == api_login(username="ada", otp="123456") == (200, None)


def test_logins_and_wrong_codes_send_djangos_signals(protected, code, client):
    seen = []

    def note(signal, user=None, credentials=None, **_):
        seen.append((signal is user_logged_in, user.username if user else credentials["username"]))

    for signal in (user_logged_in, user_login_failed):
        signal.connect(note, dispatch_uid="noted")
    try:
        api_login(username="ada", otp="000000")
        api_login(username="ada", otp=code())
        type_password(client, protected)
        client.post(CODE_PAGE, {"code": "000000"})
    finally:
        for signal in (user_logged_in, user_login_failed):
            signal.disconnect(dispatch_uid="noted")

    assert seen == [(False, "ada"), (True, "ada"), (False, "ada")]
    protected.refresh_from_db()
    assert protected.last_login


@pytest.mark.parametrize("action", ["remove", "codes"])
def test_it_is_switched_off_or_gets_new_recovery_codes_only_with_a_code(client, protected, code, action):
    client.force_login(protected)
    before = set(RecoveryCode.objects.values_list("digest", flat=True))

    assert client.post(STATUS, {"action": action, "code": "000000"}).status_code == 400
    assert client.post(STATUS, {"action": action}).status_code == 400
    assert (set(RecoveryCode.objects.values_list("digest", flat=True)), SecondFactor.objects.count()) == (before, 1)

    client.post(STATUS, {"action": action, "code": code()})

    protected.refresh_from_db()
    assert protected.has_second_factor is (action == "codes")
    assert not before & set(RecoveryCode.objects.values_list("digest", flat=True))
    assert is_logged_in(client)


def test_a_second_factor_in_use_cannot_be_replaced_by_beginning_again(client, protected):
    client.force_login(protected)
    second_factor.begin(protected)
    assert SecondFactor.objects.get().secret == SECRET
    assert client.get(SET_UP)["Location"] == STATUS


@pytest.mark.parametrize("page", [STATUS, SET_UP, "/account/second-factor/code/"])
def test_its_pages_ask_strangers_to_log_in(client, page):
    assert client.get(page)["Location"] == f"/account/login/?next={page}"


STAFF_PAGES = ["/admin/", "/admin/exceptions/", "/admin/shop/order/", "/admin/accounts/user/"]


@pytest.mark.parametrize("page", STAFF_PAGES)
def test_staff_without_it_reach_only_its_page_where_it_is_required(client, settings, page):
    settings.STAFF_TWO_FACTOR = "required"
    client.force_login(StaffFactory())

    assert client.get(page)["Location"] == STATUS
    assert client.post(page)["Location"] == STATUS
    assert client.get(STATUS).status_code == 200


@pytest.mark.parametrize("page", STAFF_PAGES)
def test_staff_reach_every_page_with_it_or_where_it_is_optional(client, settings, page):
    staff = StaffFactory()
    client.force_login(staff)
    settings.STAFF_TWO_FACTOR = "optional"
    assert client.get(page).status_code == 200

    settings.STAFF_TWO_FACTOR = "required"
    protect(staff)
    assert client.get(page).status_code == 200


def test_a_login_of_staff_who_lack_it_leads_to_its_page_and_a_buyers_does_not(client, settings, ada):
    settings.STAFF_TWO_FACTOR = "required"

    assert type_password(Client(), StaffFactory(), next="/admin/")["Location"] == STATUS
    assert type_password(client, ada, next="/checkout/")["Location"] == "/checkout/"


def test_staff_without_it_have_no_rights_in_the_api_where_it_is_required(settings):
    staff = StaffFactory()
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_order"))
    routes = [(staff, "orders?all=true"), (staff, "payouts"), (clerk, "orders?all=true")]
    assert [ApiClient(user).get(f"/api/{path}").status_code for user, path in routes] == [200] * 3

    settings.STAFF_TWO_FACTOR = "required"
    assert [ApiClient(user).get(f"/api/{path}").status_code for user, path in routes] == [403] * 3
    assert ApiClient(staff).get("/api/auth/profile").status_code == 200

    protect(staff)
    assert ApiClient(staff).get("/api/orders?all=true").status_code == 200


def test_changes_of_rights_ask_for_a_new_code_after_15_minutes(client, code, clock):
    staff, other = StaffFactory(), UserFactory()
    protect(staff)
    type_password(client, staff)
    client.post(CODE_PAGE, {"code": code()})
    pages = [f"/admin/accounts/user/{other.pk}/change/", f"/admin/accounts/user/{other.pk}/password/", "/admin/accounts/user/add/"]
    assert [client.get(page).status_code for page in pages] == [200, 200, 200]

    clock.seconds += 15 * 60

    for page in pages:
        again = f"/account/second-factor/code/?next={page}"
        assert client.get(page)["Location"] == client.post(page, {"is_superuser": "on"})["Location"] == again
    assert client.get("/admin/accounts/user/").status_code == 200
    assert client.post(again, {"code": "000000", "next": pages[0]}).status_code == 400
    assert client.get(pages[0]).status_code == 302

    assert client.post(again, {"code": code(), "next": pages[0]})["Location"] == pages[0]
    assert client.get(pages[0]).status_code == 200


def test_asking_again_never_redirects_to_another_site(client, protected, code):
    client.force_login(protected)
    answer = client.post("/account/second-factor/code/", {"code": code(), "next": "https://evil.example/"})
    assert answer["Location"] == "/account/"


def test_a_superuser_resets_it_for_somebody_and_other_staff_cannot(client, protected):
    data = {"action": "reset_second_factor", "_selected_action": [str(protected.pk)]}
    helper = UserFactory(is_staff=True)
    helper.user_permissions.add(*Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(helper)
    client.post("/admin/accounts/user/", data)
    protected.refresh_from_db()
    assert protected.has_second_factor

    client.force_login(StaffFactory())
    client.post("/admin/accounts/user/", data)
    protected.refresh_from_db()
    assert not protected.has_second_factor


def test_the_command_resets_it_for_a_lost_telephone(protected):
    token = issue(protected)["token"]

    call_command("reset_second_factor", "ADA@example.com", stdout=StringIO())

    assert api_login(username="ada") == (200, None)
    assert ApiClient().get("/api/auth/profile", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 401
    assert (SecondFactor.objects.count(), RecoveryCode.objects.count()) == (0, 0)


@pytest.mark.parametrize(("name", "words"), [("nobody", "no user"), ("ada", "no second factor")])
def test_the_command_says_what_it_cannot_do(ada, name, words):
    with pytest.raises(CommandError, match=words):
        call_command("reset_second_factor", name)


def test_two_requests_with_one_code_cannot_both_succeed(protected, code):
    """The second one read the row before the first one wrote."""
    read = SecondFactor.objects.get()
    assert check_code(protected, code())
    assert not second_factor._use(read, code())
