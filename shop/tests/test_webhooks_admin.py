"""Webhooks in the admin: the secret is shown once, and the buttons do what the API does."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.tests.factories import StaffFactory
from cryptons.audit import writing
from cryptons.audit.models import Entry
from cryptons.db import new_id
from cryptons.events import endpoints
from cryptons.events.deliveries import draft_delivery
from cryptons.events.models import WebhookDelivery, WebhookEndpoint
from cryptons.events.tests.receiver import make_endpoint

pytestmark = pytest.mark.django_db

LIST = "/admin/events/webhookendpoint/"
DELIVERIES = "/admin/events/webhookdelivery/"
FORM = {"url": "https://erp.example/hooks", "description": "ERP", "events": ["order.paid", "stock.changed"], "is_enabled": "on"}


@pytest.fixture
def client(client):
    client.force_login(StaffFactory(is_superuser=True))
    return client


def deliver(endpoint, **values):
    row = draft_delivery(endpoint.pk, "order.paid", new_id(), 1, {}, at=timezone.now() - timedelta(hours=1))
    row.__dict__.update(values)
    row.save(force_insert=True)
    return row


def test_an_endpoint_is_made_changed_and_deleted_and_its_secret_shown_once(client):
    made = client.post(f"{LIST}add/", FORM)
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret in made.text
    assert (endpoint.url, endpoint.events, endpoint.is_enabled) == (FORM["url"], FORM["events"], True)
    deliver(endpoint)

    page = client.get(f"{LIST}{endpoint.pk}/change/").text
    assert "Rotate the secret" in page
    assert "whsec_" not in page
    client.post(f"{LIST}{endpoint.pk}/change/", {**FORM, "events": ["order.paid"], "is_enabled": ""})
    endpoint.refresh_from_db()
    assert (endpoint.events, endpoint.is_enabled, endpoint.disabled_by) == (["order.paid"], False, "staff")

    client.post(f"{LIST}{endpoint.pk}/delete/", {"post": "yes"})
    assert not WebhookEndpoint.objects.exists()
    assert not WebhookDelivery.objects.exists()
    told = Entry.objects.filter(object_type="webhookendpoint").order_by("id").values_list("action", "changes")
    assert [action for action, _ in told] == ["add", "change", "delete"]
    assert endpoint.secret not in str(list(told))


@pytest.mark.parametrize("wrong", [{"url": "http://erp.example/"}, {"url": "https://10.0.0.1/"}, {"events": []}])
def test_what_cannot_be_an_endpoint_is_refused_at_its_field(client, wrong):
    answer = client.post(f"{LIST}add/", {**FORM, **wrong})
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == set(wrong)


def test_one_endpoint_too_many_is_refused(client, monkeypatch):
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 0)
    assert "which is the most" in client.post(f"{LIST}add/", FORM).text


def test_the_buttons_test_rotate_and_redeliver(client):
    endpoint = make_endpoint(FORM["url"])
    old, row = endpoint.secret, deliver(endpoint, status="delivered", next_try_at=None)
    assert client.get(f"{LIST}{endpoint.pk}/act/test/").status_code == 200
    client.post(f"{LIST}{endpoint.pk}/act/test/")
    assert WebhookDelivery.objects.get(type="webhook.test").status == "waiting"

    rotated = client.post(f"{LIST}{endpoint.pk}/act/rotate/").text
    endpoint.refresh_from_db()
    assert endpoint.secret in rotated
    assert endpoint.old_secret == old
    assert old not in rotated

    now = timezone.localtime()
    period = {"since": f"{now - timedelta(hours=2):%Y-%m-%dT%H:%M}", "until": f"{now - timedelta(minutes=30):%Y-%m-%dT%H:%M}"}
    assert client.post(f"{LIST}{endpoint.pk}/act/redeliver/", {"since": period["until"], "until": period["since"]}).status_code == 400
    client.post(f"{LIST}{endpoint.pk}/act/redeliver/", period)
    row.refresh_from_db()
    assert row.status == "waiting"
    assert client.get(f"{LIST}{endpoint.pk}/act/explode/").status_code == 404


def test_deliveries_show_what_was_sent_and_answered_and_are_sent_again(client):
    row = deliver(make_endpoint(FORM["url"]), status="failed", next_try_at=None, answer="<b>no</b>", answer_status=500)
    page = client.get(f"{DELIVERIES}{row.pk}/change/").text
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert row.webhook_id in page
    client.post(DELIVERIES, {"action": "redeliver", "_selected_action": [str(row.pk)]})
    row.refresh_from_db()
    assert row.status == "waiting"


def test_many_deliveries_are_sent_again_with_few_statements(django_assert_max_num_queries, monkeypatch):
    monkeypatch.setattr(writing, "seal", lambda: None)  # after the commit each entry is sealed by a statement of its own
    endpoint = make_endpoint(FORM["url"])
    rows = [deliver(endpoint, status="failed", next_try_at=None) for _ in range(20)]
    with django_assert_max_num_queries(6):
        assert endpoints.redeliver_some(rows, at=timezone.now()) == 20
    assert Entry.objects.filter(action="redeliver").count() == 20


@pytest.mark.parametrize(("page", "lookup"), [(LIST, "secret__startswith"), (DELIVERIES, "endpoint__secret__startswith")])
def test_a_list_does_not_tell_whose_secret_begins_with_a_letter(client, settings, page, lookup):
    settings.FIELD_ENCRYPTION_KEY = []
    deliver(make_endpoint(FORM["url"]))
    assert client.get(page, {lookup: "whsec_"}).status_code == 400


def test_staff_who_may_only_look_press_nothing(client):
    endpoint = make_endpoint(FORM["url"])
    row = deliver(endpoint, status="failed", next_try_at=None)
    staff = StaffFactory(is_superuser=False)
    client.force_login(staff)
    assert client.get(LIST).status_code == client.get(DELIVERIES).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="view_webhookendpoint"))

    assert "Rotate the secret" not in client.get(f"{LIST}{endpoint.pk}/change/").text
    assert client.get(f"{DELIVERIES}{row.pk}/change/").status_code == 200
    assert client.post(f"{LIST}{endpoint.pk}/act/rotate/").status_code == 403
    client.post(DELIVERIES, {"action": "redeliver", "_selected_action": [str(row.pk)]})
    row.refresh_from_db()
    assert row.status == "failed"
