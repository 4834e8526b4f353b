"""Who did what: one entry for each act of staff, wherever they do it."""

import re

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import PASSWORD, ApiClient, StaffFactory, UserFactory
from cryptons import environment
from cryptons.audit.acting import Actor, acting
from cryptons.audit.models import Entry
from cryptons.audit.settings_log import note_settings
from cryptons.audit.writing import write
from cryptons.mail.models import Mail
from shop.orders.lifecycle import change_status
from shop.tests.factories import CategoryFactory, OrderFactory, ProductFactory
from shop.tests.forms import product_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def grace():
    return StaffFactory(username="grace")


@pytest.fixture
def admin(client, grace):
    client.force_login(grace)
    Entry.objects.all().delete()
    return client


def acts() -> list[tuple[str, str, str, str]]:
    return list(Entry.objects.order_by("at", "id").values_list("way", "person", "action", "object_type"))


def only() -> Entry:
    return Entry.objects.get()


def test_a_price_changed_in_the_admin_is_told_with_before_and_after(admin, grace):
    product = ProductFactory(price_minor=4999, stock=7)
    answer = admin.post(
        f"/admin/shop/product/{product.pk}/change/", product_form(product, price="0.01", stock=9), REMOTE_ADDR="203.0.113.7"
    )
    assert answer.status_code == 302
    price, stock = Entry.objects.order_by("at", "id")
    assert (price.person_id, price.person, price.address, price.way) == (grace.pk, "grace", "203.0.113.7", "admin")
    assert (price.action, price.object_type, price.object_id, price.object_name) == ("change", "product", str(product.pk), product.name)
    assert price.changes["price_minor"] == ["4999", "1"]
    assert stock.changes == {"stock": ["7", "+2"]}


def test_prices_changed_and_products_deleted_over_the_api_are_told(grace):
    product = ProductFactory(price_minor=4999)
    client = ApiClient(grace)
    Entry.objects.all().delete()
    assert client.patch(f"/api/products/{product.pk}", '{"price": "0.01"}', content_type="application/json").status_code == 200
    assert client.delete(f"/api/products/{product.pk}").status_code == 204
    assert acts() == [("api", "grace", "change", "product"), ("api", "grace", "delete", "product")]
    assert Entry.objects.earliest("at").changes == {"price_minor": ["4999", "1"]}


def test_actions_on_many_rows_are_told_for_each(admin):
    products = ProductFactory.create_batch(2)
    chosen = [str(product.pk) for product in products]
    admin.post("/admin/shop/product/", {"action": "unlist_products", "_selected_action": chosen})
    admin.post("/admin/shop/product/", {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})
    assert acts() == [("admin", "grace", "change", "product")] * 2 + [("admin", "grace", "delete", "product")] * 2


def test_an_order_and_its_note_are_told_and_a_buyers_order_is_not(admin, grace):
    order = OrderFactory()
    admin.post(f"/admin/shop/order/{order.pk}/cancel/do/", {"reason": "no reply"})
    entry = only()
    assert (entry.action, entry.object_type, entry.object_name, entry.way) == ("order.cancelled", "order", order.number, "admin")
    assert (entry.changes["status"][1], entry.changes["reason"][1]) == ("cancelled", "no reply")

    admin.post(f"/admin/shop/order/{order.pk}/change/", {"note": "called", **{f"lines-{n}_FORMS": 0 for n in ("TOTAL", "INITIAL")}})
    assert Entry.objects.filter(changes={"note": ["", "called"]}, object_type="order").exists()
    told = Entry.objects.count()

    buyers = OrderFactory(user=UserFactory())
    change_status(buyers.pk, "cancelled", actor=buyers.user.username, at=timezone.now())
    assert Entry.objects.count() == told


def test_rights_that_are_given_and_taken_are_told(admin):
    ada, group = UserFactory(username="ada"), Group.objects.create(name="Packers")
    Entry.objects.all().delete()
    values = {"username": "ada", "email": ada.email, "address": "{}", "is_active": "on", "is_staff": "on", "groups": [group.pk]}
    times = {"date_joined_0": "2026-11-01", "date_joined_1": "12:00:00"}
    right = Permission.objects.get(codename="add_payout")
    assert admin.post(f"/admin/accounts/user/{ada.pk}/change/", {**values, **times}).status_code == 302
    assert admin.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Packers", "permissions": [right.pk]}).status_code == 302
    assert admin.post(f"/admin/accounts/user/{ada.pk}/change/", {**values, **times, "groups": []}).status_code == 302
    changes = [changed for entry in Entry.objects.order_by("at", "id") for changed in entry.changes.items()]
    assert ("is_staff", ["False", "True"]) in changes
    assert ("groups", ["", "Packers"]) in changes
    assert ("permissions", ["", "payments.add_payout"]) in changes
    assert ("groups", ["Packers", ""]) in changes


def test_a_new_password_is_told_and_its_hash_is_not(admin):
    colleague = StaffFactory(username="ada")
    Entry.objects.all().delete()
    words = {"password1": "a longer battery staple", "password2": "a longer battery staple", "usable_password": "true"}
    admin.post(f"/admin/accounts/user/{colleague.pk}/password/", words)
    assert only().changes == {"password": ["…", "…"]}
    assert (only().person, only().object_name) == ("grace", "ada")


def test_what_a_stranger_changes_of_staff_is_told_and_what_a_buyer_changes_of_themself_is_not():
    staff, buyer = StaffFactory(), UserFactory()
    Entry.objects.all().delete()
    for user in (staff, buyer):
        user.set_password("a longer battery staple")
        user.save(update_fields=["password"])
    assert (only().object_id, list(only().changes)) == (str(staff.pk), ["password"])


@pytest.mark.parametrize(("way", "address"), [("page", "203.0.113.9"), ("api", "203.0.113.10")])
def test_logins_and_failed_logins_are_told_with_the_address(client, way, address):
    ada = UserFactory(username="ada")

    def log_in(name: str, password: str) -> None:
        if way == "page":
            client.post("/account/login/", {"name": name, "password": password}, REMOTE_ADDR=address)
        else:
            ApiClient().post("/api/auth/login", {"username": name, "password": password}, REMOTE_ADDR=address)

    log_in("ada", "wrong")
    log_in("hunter2, typed into the wrong field", PASSWORD)
    log_in("ada", PASSWORD)
    wrong, unknown, right = Entry.objects.order_by("at", "id")
    assert (wrong.action, wrong.object_name, wrong.object_id, wrong.person) == ("failed login", "ada", str(ada.pk), "")
    assert (unknown.action, unknown.object_name, unknown.object_id) == ("failed login", "", "")
    assert (right.action, right.person, right.person_id) == ("login", "ada", ada.pk)
    assert {(entry.way, entry.address) for entry in (wrong, unknown, right)} == {(way, address)}


def test_commands_are_told_by_the_name_of_the_machines_user(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    with acting("createsuperuser"):
        call_command("createsuperuser", interactive=False, username="eve", email="eve@example.com")
    entry = only()
    assert (entry.way, entry.person, entry.action, entry.object_name) == ("command", "root", "add", "eve")
    assert (entry.changes["is_superuser"], entry.changes["command"]) == (["", "True"], ["", "createsuperuser"])


def test_a_mail_that_is_sent_again_and_logins_that_are_ended_are_told(admin, grace):
    mail = Mail.objects.create(key="1", to="ada@example.com", subject="Your order", text="", html="")
    admin.post("/admin/mail/mail/", {"action": "send_again", "_selected_action": [str(mail.pk)]})
    admin.post("/admin/accounts/user/", {"action": "log_out_everywhere", "_selected_action": [str(UserFactory().pk)]})
    assert acts() == [("admin", "grace", "send again", "mail"), ("admin", "grace", "end logins", "user")]


def test_changed_settings_are_told_and_secrets_are_not(monkeypatch):
    given = {"LATE_GRACE_MINUTES": "60", "BITCOIN_RPC_PASS": "one", "DATABASE_URL": "postgresql://shop:hunter2@db/shop"}
    monkeypatch.setattr(environment, "given", {**given, "BITCOIN_DESCRIPTOR": "wpkh(xpub1)"})
    note_settings()
    note_settings()
    monkeypatch.setattr(environment, "given", {**given, "LATE_GRACE_MINUTES": "61", "BITCOIN_DESCRIPTOR": "wpkh(xpub2)"})
    note_settings()

    first, second = Entry.objects.order_by("at", "id")
    assert first.changes["LATE_GRACE_MINUTES"] == ["", "60"]
    assert first.changes["BITCOIN_RPC_PASS"] == ["", "(set)"]
    assert first.changes["DATABASE_URL"] == ["", "postgresql://…@db/shop"]
    assert second.changes["LATE_GRACE_MINUTES"] == ["60", "61"]
    assert set(second.changes) == {"LATE_GRACE_MINUTES", "BITCOIN_DESCRIPTOR"}
    assert not re.search("hunter2|xpub|one", str([first.changes, second.changes]))


def test_an_act_that_is_rolled_back_is_not_told(admin):
    category = CategoryFactory()
    ProductFactory(category=category)
    assert ApiClient(User.objects.get(username="grace")).delete(f"/api/categories/{category.pk}").status_code == 409
    assert acts() == []


@pytest.mark.django_db(transaction=True)
def test_the_log_is_read_filtered_and_downloaded_and_changed_by_nobody(client):
    """Not by a superuser either; and without the right it is not even seen."""
    grace = StaffFactory(username="grace")
    client.force_login(grace)
    with acting("changepassword"):
        grace.set_password("a longer battery staple")
        grace.save(update_fields=["password"])
    client.force_login(grace)
    page = f"/admin/audit/entry/{Entry.objects.filter(action='change').get().pk}"

    assert "password" in client.get(f"{page}/change/").content.decode()
    listed = client.get("/admin/audit/entry/", {"way": "command", "q": "grace"}).content.decode()
    assert "changepassword" in listed
    assert "1 entry" in listed
    lines = b"".join(client.get("/admin/audit/entry/export/", {"way": "command"})).decode().splitlines()
    assert lines[0].startswith("number,time,person,address,way,action")
    assert [("password: … → …" in line, "grace" in line) for line in lines[1:]] == [(True, True)]

    asked = [("/admin/audit/entry/add/", {}), (f"{page}/change/", {"person": "eve"}), (f"{page}/delete/", {"post": "yes"})]
    assert [client.post(path, body).status_code for path, body in asked] == [403] * 3
    count = Entry.objects.count()
    client.post("/admin/audit/entry/", {"action": "delete_selected", "_selected_action": [page.split("/")[-1]], "post": "yes"})
    assert Entry.objects.count() == count

    client.force_login(StaffFactory(is_superuser=False))
    assert {client.get(path).status_code for path in ("/admin/audit/entry/", f"{page}/change/", "/admin/audit/entry/export/")} == {403}


def test_the_filter_for_what_no_person_did_has_a_name(admin):
    write("change", "product")
    write("change", "product", actor=Actor("admin", name="grace"))
    text = admin.get("/admin/audit/entry/").content.decode()
    assert re.search(r'<a href="\?person=">\s*-\s*</a>', text)
