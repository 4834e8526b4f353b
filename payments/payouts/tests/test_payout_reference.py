"""A payout has no reference until it is sent, and then one of its own."""

import pytest
from django.db import IntegrityError

from payments.tests.factories import PayoutFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_many_payouts_have_no_reference_yet():
    PayoutFactory.create_batch(2)


def test_no_two_payouts_share_a_transaction():
    PayoutFactory(reference="a" * 64)
    with pytest.raises(IntegrityError):
        PayoutFactory(reference="a" * 64)
