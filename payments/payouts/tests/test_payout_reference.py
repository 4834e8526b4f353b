"""A payout has no reference until it is sent, and then one of its own."""

import pytest
from django.db import IntegrityError

from payments.tests.factories import PayoutFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_many_payouts_can_be_without_a_reference():
    PayoutFactory.create_batch(2)


def test_two_payouts_cannot_have_the_same_transaction():
    PayoutFactory(reference="a" * 64)
    with pytest.raises(IntegrityError):
        PayoutFactory(reference="a" * 64)
