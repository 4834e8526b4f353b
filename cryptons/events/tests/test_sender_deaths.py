"""The process that sends webhooks dies, or another one is slow: each event still arrives, once in effect."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from cryptons.db import in_transaction, new_id
from cryptons.events import tasks
from cryptons.events.deliveries import draft_delivery
from cryptons.events.models import Event, WebhookDelivery, WebhookEndpoint, record
from cryptons.events.sending import LEASE, send_lane
from cryptons.events.tests.receiver import make_endpoint, receiving
from tests.interrupting import dies_before
from tests.running import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now().replace(microsecond=0)
STATE = {"status": "pending", "paymentStatus": "unpaid", "onHold": False}


@pytest.fixture(autouse=True)
def _receivers_are_here(settings):
    settings.WEBHOOK_PRIVATE_HOSTS = ["127.0.0.1"]


def arrived_once(receiver):
    """What a receiver has that ignores an id it had before."""
    return list(dict.fromkeys((headers["webhook-id"], body) for headers, body in receiver.requests))


def send_and_recover(number, *, status):
    """Returns what arrived in effect, and how many steps the first sender took."""
    WebhookEndpoint.objects.all().delete()
    with receiving(status=status) as receiver:
        endpoint = make_endpoint(receiver.url)
        order = new_id()
        for seq in range(3):
            draft_delivery(endpoint.pk, "order.updated", order, seq, STATE, at=NOW).save(force_insert=True)
        with dies_before(number) as steps:
            send_lane(endpoint.pk, at=NOW)
        receiver.status = 200
        for seconds in (1, LEASE.total_seconds() + 1, 2 * LEASE.total_seconds()):
            send_lane(endpoint.pk, at=NOW + timedelta(seconds=seconds))
        assert not WebhookDelivery.objects.exclude(status="delivered").exists()
        return receiver.bodies, arrived_once(receiver), steps.taken


@pytest.mark.parametrize("status", [200, 500])
def test_a_sender_that_dies_before_any_step_loses_no_event(status):
    steps = send_and_recover(10_000, status=status)[2]
    assert steps >= 5
    for number in range(1, steps + 1):
        bodies, arrived, _ = send_and_recover(number, status=status)
        assert len(arrived) == 3, f"died before step {number} of {steps}"
        sequence = [body["data"]["seq"] for body in bodies]
        assert sequence == sorted(sequence), f"died before step {number} of {steps}"


def test_event_and_deliveries_are_written_together_or_not_at_all():
    make_endpoint("https://erp.example/hooks")
    with dies_before(10_000) as steps:
        in_transaction(lambda: record("order.placed", new_id(), seq=0, data=STATE))
    assert WebhookDelivery.objects.count() == Event.objects.count() == 1
    for number in range(1, steps.taken + 1):
        with dies_before(number):
            in_transaction(lambda: record("order.placed", new_id(), seq=0, data=STATE))
        assert WebhookDelivery.objects.count() == Event.objects.count()


def test_the_sweep_does_not_wait_for_a_slow_endpoint(monkeypatch):
    monkeypatch.setattr(tasks, "JOIN_SECONDS", 0.05)
    with receiving(drips=threading.Event()) as slow, receiving() as quick:
        for receiver in (slow, quick):
            endpoint = make_endpoint(receiver.url)
            draft_delivery(endpoint.pk, "order.updated", new_id(), 1, STATE, at=NOW).save(force_insert=True)

        tasks.sweep_webhooks()

        wait_for("both are sent to", lambda: quick.requests and slow.requests)
        tasks.sweep_webhooks()
        slow.drips.set()
        wait_for("the lanes end", lambda: not tasks._lanes)
        assert (len(slow.requests), len(quick.requests)) == (1, 1)
