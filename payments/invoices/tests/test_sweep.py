"""What messages lose, the sweep finds."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.models import Cursor, Invoice, SandboxTransaction
from payments.networks.base import Fact
from payments.networks.sandbox.network import receive
from payments.sync.facts import store_facts
from payments.tasks import settle_invoices, sweep_invoices
from payments.tests.factories import DUE, OptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now()


def option(expires_at):
    return OptionFactory(invoice__expires_at=expires_at, invoice__monitor_until=expires_at)


def test_facts_whose_message_was_lost_are_settled(now):
    waiting = option(now + timedelta(minutes=5))
    store_facts("BTC", [Fact("a:0", waiting.destination, DUE, now)])

    sweep_invoices()

    assert Invoice.objects.get().status == "processing"


def test_invoices_whose_time_is_up_expire(now):
    for minutes in (-1, 1):
        option(now + timedelta(minutes=minutes))

    sweep_invoices()

    assert sorted(Invoice.objects.values_list("status", flat=True)) == ["expired", "new"]


def test_workers_that_come_back_hear_the_network_before_they_expire_anything(now):
    paid = option(now - timedelta(minutes=10))
    receive("BTC", paid.destination, DUE, at=now - timedelta(minutes=20))
    SandboxTransaction.objects.update(changed_at=now - timedelta(minutes=20))
    Cursor.objects.create(network="BTC", answered_at=now - timedelta(minutes=30))

    sweep_invoices()

    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.flags) == ("processing", frozenset())


def test_a_network_that_is_no_longer_offered_does_not_stop_the_sweep(now):
    option(now)
    Cursor.objects.create(network="DOGE", answered_at=now - timedelta(days=30))

    sweep_invoices()

    assert Invoice.objects.get().status == "expired"


def test_a_message_that_comes_twice_does_its_work_once(now):
    waiting = option(now + timedelta(minutes=5))
    store_facts("BTC", [Fact("a:0", waiting.destination, DUE, now)])
    for _ in range(2):
        settle_invoices([str(waiting.invoice_id)])
    assert Invoice.objects.get().version == 3
