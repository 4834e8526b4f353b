import pytest
from django.utils import timezone

from payments.following import ask_now
from payments.models import Invoice
from payments.networks.sandbox import receive
from payments.tests.factories import DUE, OptionFactory

pytestmark = pytest.mark.django_db


def test_a_persons_question_books_what_the_node_knows():
    now = timezone.now()
    option = OptionFactory(invoice__expires_at=now, invoice__monitor_until=now)
    receive("BTC", option.destination, DUE, at=now)

    assert ask_now(option.invoice_id, at=now) == 1

    assert Invoice.objects.get().status == "processing"
