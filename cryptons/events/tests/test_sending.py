"""What a receiver gets, when, and what happens when it does not take it."""

import threading
from datetime import timedelta
from email.utils import format_datetime

import pytest
from django.utils import timezone

from cryptons.db import in_transaction, new_id
from cryptons.events import sending
from cryptons.events.deliveries import draft_delivery
from cryptons.events.endpoints import change_endpoint, new_secret
from cryptons.events.models import WebhookDelivery, WebhookEndpoint, record
from cryptons.events.sending import ANSWER_BYTES, DISABLE_AFTER, WAITS, due_lanes, forget_old_deliveries, send_lane
from cryptons.events.tests.receiver import make_endpoint, receiving
from cryptons.mail.models import Mail
from cryptons.standard_webhooks import is_signed

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)
STATE = {"status": "pending", "paymentStatus": "unpaid", "onHold": False, "transactionHash": ""}


@pytest.fixture(autouse=True)
def _receivers_are_here(settings):
    settings.WEBHOOK_PRIVATE_HOSTS = ["127.0.0.1"]


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def endpoint(receiver):
    return make_endpoint(receiver.url)


def happen(endpoint, seq=1, *, subject=None, type="order.updated", at=NOW):
    delivery = draft_delivery(endpoint.pk, type, subject or new_id(), seq, STATE, at=at)
    delivery.save(force_insert=True)
    return delivery


def wake(delivery):
    """Let the delivery and its lane be due."""
    WebhookEndpoint.objects.update(busy_until=None)
    delivery.refresh_from_db()
    return delivery.next_try_at


def test_an_event_is_sent_once_signed_and_without_the_buyers_data(receiver, endpoint):
    order = new_id()
    record("order.placed", order, seq=0, data={**STATE, "note": "Ring at Ada's", "holdReason": "Ada"}, actor="ada")
    delivery = WebhookDelivery.objects.get()
    at = delivery.created_at + timedelta(seconds=1)

    assert send_lane(endpoint.pk, at=at) == 1
    assert send_lane(endpoint.pk, at=at) == 0

    ((headers, body),) = receiver.requests
    assert receiver.bodies[0]["data"] == {"id": str(order), "seq": 0, **STATE}
    assert headers["webhook-id"] == delivery.webhook_id
    assert is_signed([endpoint.secret], headers["webhook-id"], headers["webhook-timestamp"], body, headers["webhook-signature"])
    delivery.refresh_from_db()
    assert (delivery.status, delivery.answer_status, delivery.answer, delivery.attempts) == ("delivered", 200, "thanks", 1)


def test_payments_of_an_invoices_event_are_events_of_their_own(endpoint):
    payments = [{"network": "BTC", "reference": f"{name}:0", "amount": "0.5", "status": "seen"} for name in "ab"]
    invoice = new_id()
    record("invoice.processing", invoice, seq=3, data={"status": "processing", "flags": [], "payments": payments})
    assert [(row.type, row.seq) for row in WebhookDelivery.objects.order_by("pk")] == [
        ("invoice.processing", 3), ("payment.seen", 3), ("payment.seen", 3),
    ]  # fmt: skip


def test_an_endpoint_gets_what_it_has_chosen_and_a_disabled_one_nothing(receiver):
    chosen = make_endpoint(receiver.url, ["order.paid"])
    make_endpoint(receiver.url, ["order.paid"], is_enabled=False)
    for type in ("order.placed", "order.paid"):
        record(type, new_id(), seq=0, data=STATE)
    assert [(row.endpoint_id, row.type) for row in WebhookDelivery.objects.all()] == [(chosen.pk, "order.paid")]


@pytest.mark.django_db(transaction=True)
def test_deliveries_end_with_the_transaction_of_their_event(endpoint):
    def fail():
        record("order.placed", new_id(), seq=0, data=STATE)
        assert WebhookDelivery.objects.count() == 1
        raise KeyError

    with pytest.raises(KeyError):
        in_transaction(fail)
    assert WebhookDelivery.objects.count() == 0


def test_without_an_endpoint_an_event_costs_one_statement(django_assert_num_queries, monkeypatch):
    record("order.placed", new_id(), seq=0, data=STATE)
    with django_assert_num_queries(1):
        record("order.placed", new_id(), seq=0, data=STATE)
    monkeypatch.setattr("cryptons.events.deliveries.REMEMBER_SECONDS", 0)
    record("order.placed", new_id(), seq=0, data=STATE)
    with django_assert_num_queries(1):  # the cache says that nothing has changed
        record("order.placed", new_id(), seq=0, data=STATE)


def test_endpoints_are_read_again_after_a_while_although_the_cache_lost_that_they_changed(endpoint, monkeypatch):
    monkeypatch.setattr("cryptons.events.deliveries.REMEMBER_SECONDS", 0)
    record("order.placed", new_id(), seq=0, data=STATE)
    WebhookEndpoint.objects.update(events=["order.paid"])
    record("order.placed", new_id(), seq=0, data=STATE)
    assert WebhookDelivery.objects.count() == 2

    monkeypatch.setattr("cryptons.events.deliveries.KEEP_SECONDS", 0)
    record("order.placed", new_id(), seq=0, data=STATE)
    assert WebhookDelivery.objects.count() == 2


def test_a_failed_delivery_is_tried_again_under_the_same_id_until_it_is_given_up(receiver, endpoint):
    receiver.status, delivery, at = 500, happen(endpoint), NOW
    for wait in WAITS:
        send_lane(endpoint.pk, at=at)
        again = wake(delivery)
        assert wait <= again - at <= wait * 1.11
        assert send_lane(endpoint.pk, at=again - timedelta(seconds=1)) == 0
        at = again
    send_lane(endpoint.pk, at=at)

    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.next_try_at) == ("failed", len(WAITS) + 1, None)
    assert {headers["webhook-id"] for headers, _ in receiver.requests} == {delivery.webhook_id}
    assert len(receiver.requests) == len(WAITS) + 1


def test_after_an_hour_without_the_receiver_each_event_arrives_once_and_each_subject_in_order(receiver, endpoint):
    orders = [new_id() for _ in range(3)]
    receiver.status, at = 503, NOW
    for minute in range(0, 60, 4):
        for order in orders:
            happen(endpoint, minute, subject=order, at=at)
        for _ in range(4):
            at += timedelta(minutes=1)
            send_lane(endpoint.pk, at=at)
    tried = len(receiver.requests)
    receiver.status = 200
    while WebhookDelivery.objects.waiting().exists():
        at += timedelta(minutes=20)
        send_lane(endpoint.pk, at=at)

    arrived = receiver.bodies[tried:]
    assert len(arrived) == 45
    for order in orders:
        assert [body["data"]["seq"] for body in arrived if body["data"]["id"] == str(order)] == list(range(0, 60, 4))


def test_one_event_that_is_always_refused_holds_back_its_subject_for_a_while_and_no_other(receiver, endpoint):
    order = new_id()
    bad = happen(endpoint, 1, subject=order)
    receiver.status = 500
    send_lane(endpoint.pk, at=NOW)
    receiver.status = 200
    happen(endpoint, 2, subject=order)
    happen(endpoint, 7)
    wake(bad)
    at = NOW + timedelta(seconds=1)

    send_lane(endpoint.pk, at=at)
    assert receiver.said[1:] == [("order.updated", 7)]

    WebhookDelivery.objects.filter(pk=bad.pk).update(attempts=sending.HOLDS, next_try_at=NOW + timedelta(days=1))
    send_lane(endpoint.pk, at=NOW + timedelta(minutes=1))
    assert receiver.said[2:] == [("order.updated", 2)]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver, endpoint, status):
    receiver.status, receiver.headers = status, {"location": receiver.url + "/other"}
    delivery = happen(endpoint)
    assert send_lane(endpoint.pk, at=NOW) == 0
    delivery.refresh_from_db()
    assert len(receiver.requests) == 1
    assert delivery.answer_status == status


def test_a_long_answer_is_cut_and_one_that_drips_ends_in_time(receiver, endpoint, monkeypatch):
    receiver.answer = b"x" * 200_000
    delivery = happen(endpoint)
    assert send_lane(endpoint.pk, at=NOW) == 1
    delivery.refresh_from_db()
    assert len(delivery.answer) == ANSWER_BYTES

    monkeypatch.setattr(sending, "ANSWER_WITHIN", timedelta(seconds=0.3))
    receiver.drips = threading.Event()
    slow = happen(endpoint)
    assert send_lane(endpoint.pk, at=NOW) == 0
    slow.refresh_from_db()
    assert (slow.answer_status, slow.attempts) == (None, 1)
    assert "Timeout" in slow.error


def test_a_host_with_a_private_address_is_not_connected_to(receiver, settings):
    settings.WEBHOOK_PRIVATE_HOSTS = []
    endpoint = make_endpoint(receiver.url.replace("http:", "https:").replace("127.0.0.1", "localhost"))
    delivery = happen(endpoint)
    assert send_lane(endpoint.pk, at=NOW) == 0
    delivery.refresh_from_db()
    assert "not public" in delivery.error
    assert not receiver.requests


def test_a_slow_endpoint_does_not_hold_up_another(receiver, endpoint):
    slow = make_endpoint("https://slow.example/hooks", busy_until=NOW + timedelta(minutes=1))
    happen(slow)
    happen(endpoint)
    assert due_lanes(at=NOW) == [endpoint.pk]
    assert send_lane(slow.pk, at=NOW) == 0
    assert send_lane(endpoint.pk, at=NOW) == 1


def test_two_senders_do_not_both_send_to_an_endpoint(receiver, endpoint, monkeypatch):
    happen(endpoint)
    others = []
    monkeypatch.setattr(
        sending,
        "_in_turn",
        lambda endpoint, at, real=sending._in_turn: others.append(send_lane(endpoint.pk, at=at)) or real(endpoint, at=at),
    )
    assert send_lane(endpoint.pk, at=NOW) == 1
    assert others == [0]
    assert len(receiver.requests) == 1


def test_a_lane_rests_after_a_failure_and_is_free_after_a_success(receiver, endpoint):
    receiver.status = 500
    rests = []
    for minute in range(6):
        at = NOW + timedelta(minutes=10 * minute)
        happen(endpoint, at=at)
        send_lane(endpoint.pk, at=at)
        endpoint.refresh_from_db()
        rests.append((endpoint.busy_until - at).total_seconds())
    assert rests == [5, 10, 20, 40, 60, 60]
    assert endpoint.failing_since == NOW
    receiver.status = 200
    send_lane(endpoint.pk, at=NOW + timedelta(days=1))
    endpoint.refresh_from_db()
    assert (endpoint.busy_until, endpoint.failures, endpoint.failing_since) == (None, 0, None)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("600", 600), ("9999999999", 900), ("2", 5), ("-600", 5), ("Tue, 01 Jan 2019 00:00:00 GMT", 5), ("Tue, 99 Jan", 5), ("soon", 5)],
)
def test_a_lane_rests_as_long_as_the_receiver_asks_but_no_quarter_of_an_hour(receiver, endpoint, asked, seconds):
    receiver.status, receiver.headers = 503, {"retry-after": asked}
    happen(endpoint)
    send_lane(endpoint.pk, at=NOW)
    endpoint.refresh_from_db()
    assert endpoint.busy_until - NOW == timedelta(seconds=seconds)


def test_a_receiver_can_ask_for_a_rest_until_a_moment(receiver, endpoint):
    receiver.status, receiver.headers = 429, {"retry-after": format_datetime(NOW + timedelta(minutes=2), usegmt=True)}
    happen(endpoint)
    send_lane(endpoint.pk, at=NOW)
    endpoint.refresh_from_db()
    assert endpoint.busy_until - NOW == timedelta(minutes=2)


def test_after_days_of_failures_an_endpoint_is_disabled_and_staff_get_one_mail(receiver, endpoint, settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    receiver.status = 500
    for at in (NOW, NOW + DISABLE_AFTER - timedelta(hours=1)):
        happen(endpoint, at=at)
        send_lane(endpoint.pk, at=at)
    endpoint.refresh_from_db()
    assert endpoint.is_enabled

    at = NOW + DISABLE_AFTER
    send_lane(endpoint.pk, at=at)
    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_by) == (False, "failures")
    assert endpoint.url in Mail.objects.get().text
    record("order.placed", new_id(), seq=0, data=STATE)
    assert not WebhookDelivery.objects.filter(type="order.placed").exists()
    assert due_lanes(at=at + timedelta(hours=1)) == []


def test_410_disables_an_endpoint_at_once(receiver, endpoint, settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    receiver.status = 410
    happen(endpoint)
    send_lane(endpoint.pk, at=NOW)
    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_by) == (False, "receiver")
    assert Mail.objects.get().subject == "A webhook endpoint was disabled"


def test_what_waits_for_an_endpoint_is_sent_as_soon_as_it_is_enabled_again(receiver, endpoint):
    receiver.status = 410
    happen(endpoint)
    send_lane(endpoint.pk, at=NOW)
    WebhookDelivery.objects.update(next_try_at=NOW + timedelta(hours=20))
    receiver.status = 200
    endpoint.refresh_from_db()
    endpoint.is_enabled = True

    change_endpoint(endpoint)

    assert send_lane(endpoint.pk, at=timezone.now()) == 1
    assert WebhookDelivery.objects.get().status == "delivered"


def test_both_secrets_sign_until_the_old_one_ends(receiver, endpoint):
    old = new_secret()
    WebhookEndpoint.objects.update(old_secret=old, old_secret_until=NOW + timedelta(hours=1))
    for at in (NOW, NOW + timedelta(hours=1)):
        happen(endpoint, at=at)
        send_lane(endpoint.pk, at=at)
    good = [
        [
            is_signed([secret], headers["webhook-id"], headers["webhook-timestamp"], body, headers["webhook-signature"])
            for secret in (endpoint.secret, old)
        ]
        for headers, body in receiver.requests
    ]
    assert good == [[True, True], [True, False]]


def test_an_event_for_an_endpoint_that_was_deleted_a_moment_ago_harms_nothing(endpoint):
    record("order.placed", new_id(), seq=0, data=STATE)
    endpoint.delete()
    record("order.placed", new_id(), seq=0, data=STATE)
    assert WebhookDelivery.objects.count() == 1
    assert due_lanes(at=NOW + timedelta(days=1)) == []


def test_deliveries_are_forgotten_after_thirty_days(endpoint):
    happen(endpoint, at=NOW - timedelta(days=31))
    kept = happen(endpoint, at=NOW - timedelta(days=29))
    assert forget_old_deliveries(at=NOW) == 1
    assert WebhookDelivery.objects.get() == kept
