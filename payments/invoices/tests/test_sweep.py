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


def test_the_sweep_settles_facts_whose_task_was_lost(now):
    waiting = option(now + timedelta(minutes=5))
    store_facts("BTC", [Fact("a:0", waiting.destination, DUE, now)])

    sweep_invoices()

    assert Invoice.objects.get().status == "processing"


def test_the_sweep_expires_overdue_invoices_and_no_others(now):
    for minutes in (-1, 1):
        option(now + timedelta(minutes=minutes))

    sweep_invoices()

    assert sorted(Invoice.objects.values_list("status", flat=True)) == ["expired", "new"]


def test_the_sweep_polls_the_network_before_it_expires_an_invoice_after_an_outage(now):
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


def test_a_settlement_task_that_is_delivered_twice_changes_the_invoice_once(now):
    waiting = option(now + timedelta(minutes=5))
    store_facts("BTC", [Fact("a:0", waiting.destination, DUE, now)])
    for _ in range(2):
        settle_invoices([str(waiting.invoice_id)])
    assert Invoice.objects.get().version == 3
