import pytest
from django.db import IntegrityError
from django.utils import timezone

from payments.models import Invoice, Payment
from payments.networks.sandbox.network import receive
from payments.sync import follower
from payments.sync.facts import store_facts
from payments.sync.follower import refresh_invoice
from payments.tests.factories import DUE, OptionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_refreshing_an_invoice_stores_the_payments_that_the_node_knows():
    now = timezone.now()
    option = OptionFactory(invoice__expires_at=now, invoice__monitor_until=now)
    receive("BTC", option.destination, DUE, at=now)

    assert refresh_invoice(option.invoice_id, at=now) == 1

    assert Invoice.objects.get().status == "processing"


def test_a_payment_that_the_follower_stores_at_the_same_moment_is_no_error(monkeypatch):
    now = timezone.now()
    option = OptionFactory(invoice__expires_at=now, invoice__monitor_until=now)
    receive("BTC", option.destination, DUE, at=now)

    def come_second(network, facts):
        monkeypatch.setattr(follower, "store_facts", store_facts)
        raise IntegrityError("network, reference")

    monkeypatch.setattr(follower, "store_facts", come_second)
    assert refresh_invoice(option.invoice_id, at=now) == 1
    assert Payment.objects.count() == 1
