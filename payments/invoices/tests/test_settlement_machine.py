"""Random lives of invoices: see payments.tests.invoice_life."""

import pytest

from payments.tests.invoice_life import InvoiceLife
from tests.sequences import live

STEPS = (8, 8, 10, 16)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("part", range(len(STEPS)))
def test_every_history_of_an_invoice_keeps_the_rules(part, settings):
    live(InvoiceLife, "invoices", part=part, parts=len(STEPS), steps=STEPS[part])
