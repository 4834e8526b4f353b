"""A row is written only by who has read its newest version."""

import pytest

from cryptons.db import update_if_unchanged
from payments.models import Payout
from payments.tests.factories import PayoutFactory


@pytest.mark.django_db
def test_only_the_first_of_two_writers_that_read_the_same_row_writes_it():
    first = PayoutFactory(version=4)
    second = Payout.objects.get()

    assert update_if_unchanged(first, error="first", attempts=1)
    assert not update_if_unchanged(second, error="second")

    stored = Payout.objects.get()
    assert (stored.error, stored.attempts, stored.version) == ("first", 1, 5)
    assert (first.error, first.attempts, first.version) == ("first", 1, 5)
    assert (second.error, second.version) == ("", 4)
    assert update_if_unchanged(stored, error="third")
