"""Webhook endpoints and deliveries over the API. The plugin of tests/api_contract.py holds each answer against the document."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.tests.factories import ApiClient, StaffFactory
from cryptons.audit.models import Entry
from cryptons.db import new_id
from cryptons.events import endpoints
from cryptons.events.deliveries import draft_delivery
from cryptons.events.models import WebhookDelivery, WebhookEndpoint, record
from cryptons.events.tests.receiver import make_endpoint
from cryptons.events.types import EVENT_TYPES, TEST
from payments.admin.event_history import TITLES as MONEY
from payments.models import Invoice, Payment, Payout
from shop.orders.timeline import TITLES
from tests.api_contract import read_document, validate

pytestmark = pytest.mark.django_db

PATH = "/api/webhook-endpoints"
BODY = {"url": "https://erp.example/hooks", "events": ["order.paid", "stock.changed"], "description": "ERP"}


@pytest.fixture
def api():
    return ApiClient(StaffFactory(is_superuser=True))


def test_an_endpoint_is_made_read_changed_and_deleted_and_its_secret_told_once(api):
    made = api.post(PATH, BODY)
    assert made.status_code == 201
    endpoint = made.json()["data"]
    secret = endpoint.pop("secret")
    assert secret.startswith("whsec_")
    assert WebhookEndpoint.objects.get().secret == secret
    assert api.get(PATH).json()["data"] == [endpoint]
    assert api.get(f"{PATH}/{endpoint['id']}").json()["data"] == endpoint

    changed = api.patch(f"{PATH}/{endpoint['id']}", {"enabled": False, "events": ["order.paid"]}, "application/json").json()["data"]
    assert changed == {**endpoint, "enabled": False, "events": ["order.paid"], "disabledBy": "staff"}
    assert api.patch(f"{PATH}/{endpoint['id']}", {"enabled": True}, "application/json").json()["data"]["disabledBy"] is None

    assert api.delete(f"{PATH}/{endpoint['id']}").status_code == 204
    assert api.get(f"{PATH}/{endpoint['id']}").status_code == 404
    told = list(Entry.objects.filter(object_type="webhookendpoint").order_by("id").values_list("action", "changes"))
    assert [action for action, _ in told] == ["add", "change", "change", "delete"]
    assert secret not in str(told)


@pytest.mark.parametrize(
    "wrong",
    [{"url": "http://erp.example/"}, {"url": "https://127.0.0.1/"}, {"url": 7}, {"events": []}, {"events": ["order.eaten"]}, {"color": 1}],
)
def test_what_cannot_be_an_endpoint_is_refused(api, wrong):
    answer = api.post(PATH, {**BODY, **wrong})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"].startswith(next(iter(wrong)))


def test_there_is_a_most_of_endpoints(api, monkeypatch):
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 1)
    assert api.post(PATH, BODY).status_code == 201
    assert api.post(PATH, BODY).status_code == 409


@pytest.mark.django_db(transaction=True)
def test_a_new_endpoint_is_told_of_the_next_event_and_a_deleted_one_of_none(api):
    record("order.paid", new_id(), seq=0, data={})
    made = api.post(PATH, BODY).json()["data"]
    record("order.paid", new_id(), seq=0, data={"status": "processing", "paymentStatus": "paid", "onHold": False})
    (delivery,) = api.get("/api/webhook-deliveries").json()["data"]
    assert (delivery["type"], delivery["status"], delivery["request"]["data"]["status"]) == ("order.paid", "waiting", "processing")

    api.delete(f"{PATH}/{made['id']}")
    record("order.paid", new_id(), seq=0, data={})
    assert api.get("/api/webhook-deliveries").json()["data"] == []


def test_a_rotated_secret_is_told_once_and_both_sign_for_a_day(api):
    made = api.post(PATH, BODY).json()["data"]
    rotated = api.post(f"{PATH}/{made['id']}/rotate-secret").json()["data"]
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.secret, endpoint.old_secret) == (rotated["secret"], made["secret"])
    assert timedelta(hours=23) < endpoint.old_secret_until - timezone.now() < timedelta(hours=25)
    assert api.get(f"{PATH}/{made['id']}").json()["data"]["oldSecretUntil"] == rotated["oldSecretUntil"]


def test_a_test_event_is_queued_although_the_endpoint_has_not_chosen_it(api):
    made = api.post(PATH, BODY).json()["data"]
    answer = api.post(f"{PATH}/{made['id']}/test")
    assert answer.status_code == 202
    assert answer.json()["data"]["type"] == TEST
    assert WebhookDelivery.objects.due(timezone.now()).count() == 1


def test_one_delivery_and_those_of_a_period_are_sent_again_under_their_ids(api):
    endpoint, now = make_endpoint(BODY["url"]), timezone.now()
    rows = [draft_delivery(endpoint.pk, "order.paid", new_id(), 1, {}, at=now - timedelta(hours=hours)) for hours in (3, 2, 1)]
    for row in rows:
        row.status, row.next_try_at, row.attempts = "delivered", None, 4
        row.save(force_insert=True)

    answer = api.post(f"/api/webhook-deliveries/{rows[2].pk}/redeliver").json()["data"]
    assert (answer["status"], answer["attempts"], answer["webhookId"]) == ("waiting", 0, rows[2].webhook_id)
    period = {"since": (now - timedelta(hours=3)).isoformat(), "until": (now - timedelta(hours=1)).isoformat()}
    assert api.post(f"{PATH}/{endpoint.pk}/redeliver", period).json()["data"] == {"count": 2}
    assert WebhookDelivery.objects.due(timezone.now()).count() == 3
    assert api.post(f"{PATH}/{endpoint.pk}/redeliver", {"since": period["until"], "until": period["since"]}).status_code == 400
    assert Entry.objects.filter(action="redeliver").count() == 2


def test_many_deliveries_are_sent_again_and_deleted_a_few_at_a_time(api, monkeypatch):
    monkeypatch.setattr("cryptons.chunks.CHUNK", 2)
    monkeypatch.setattr("cryptons.events.endpoints.CHUNK", 2)
    endpoint, other, now = make_endpoint(BODY["url"]), make_endpoint(BODY["url"]), timezone.now()
    for to in (endpoint, endpoint, other, endpoint, endpoint, endpoint):
        row = draft_delivery(to.pk, "order.paid", new_id(), 1, {}, at=now)
        row.status, row.next_try_at = "delivered", None
        row.save(force_insert=True)

    period = {"since": now.isoformat(), "until": (now + timedelta(hours=1)).isoformat()}
    assert api.post(f"{PATH}/{endpoint.pk}/redeliver", period).json()["data"] == {"count": 5}
    assert WebhookDelivery.objects.due(timezone.now()).count() == 5

    assert api.delete(f"{PATH}/{endpoint.pk}").status_code == 204
    assert [delivery.endpoint_id for delivery in WebhookDelivery.objects.all()] == [other.pk]


def test_deliveries_are_filtered_and_what_is_no_filter_is_refused(api):
    now, subject = timezone.now(), new_id()
    first, second = make_endpoint("https://erp.example/1"), make_endpoint("https://erp.example/2")
    old = draft_delivery(first.pk, "order.paid", subject, 1, {}, at=now - timedelta(days=2))
    new = draft_delivery(second.pk, "stock.changed", new_id(), 1, {"stock": 1}, at=now)
    new.status = "failed"
    for row in (old, new):
        row.save(force_insert=True)

    def ids(**filters):
        return [row["id"] for row in api.get("/api/webhook-deliveries", filters).json()["data"]]

    yesterday = (now - timedelta(days=1)).isoformat()
    assert ids() == [str(new.pk), str(old.pk)]
    assert ids(endpoint=first.pk) == ids(subject=subject) == ids(status="waiting") == ids(until=yesterday) == [str(old.pk)]
    assert ids(event="stock.changed") == ids(status="failed") == ids(since=yesterday) == [str(new.pk)]
    wrong = {"endpoint": "x", "subject": "x", "status": "x", "event": "x", "since": "x", "until": "x", "color": "x"}
    for name, text in wrong.items():
        answer = api.get("/api/webhook-deliveries", {name: text})
        assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, name)


def test_staff_without_the_right_are_refused_and_an_unknown_row_is_not_found(api):
    staff, endpoint = ApiClient(StaffFactory(is_superuser=False)), make_endpoint(BODY["url"])
    paths = [PATH, f"{PATH}/{endpoint.pk}/test", f"{PATH}/{endpoint.pk}/rotate-secret", f"{PATH}/{endpoint.pk}/redeliver"]
    assert {staff.post(path, {}).status_code for path in paths} == {403}
    assert staff.get("/api/webhook-deliveries").status_code == 403
    assert api.post(f"{PATH}/{uuid4()}/test").status_code == 404
    assert api.post(f"/api/webhook-deliveries/{uuid4()}/redeliver").status_code == 404


def test_the_document_describes_each_event_and_each_body_is_as_it_says():
    document = read_document()
    assert set(document["webhooks"]) == {*EVENT_TYPES, TEST}
    payment = {"network": "BTC", "reference": "ab:0", "amount": "0.5", "status": "seen"}
    data = {
        "order.paid": {"status": "processing", "paymentStatus": "paid", "onHold": False, "transactionHash": "ab"},
        "invoice.settled": {"status": "settled", "flags": ["late"], "paidSeenMinor": 5, "paidSafeMinor": 5, "exceptions": []},
        "payment.seen": payment,
        "payout.sent": {**payment, "status": "sent", "destination": "bc1", "reason": "Ada asked."},
        "stock.changed": {"stock": 3},
        TEST: {},
    }
    for type, values in data.items():
        body = draft_delivery(new_id(), type, new_id(), 1, values, at=timezone.now()).body
        described = document["webhooks"][type]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert validate(document, described, json.loads(body)) == []


def test_every_event_of_orders_invoices_payments_and_payouts_can_be_chosen():
    states = [("invoice", Invoice), ("payment", Payment), ("payout", Payout)]
    events = {*TITLES, *MONEY, "order.updated"} | {f"{name}.{status}" for name, model in states for status in model.Status.values}
    assert events - {"invoice.updated", "payout.updated"} <= set(EVENT_TYPES)
