"""Random lives of orders: see shop.tests.order_life."""

import pytest

from shop.tests.order_life import OrderLife
from tests.sequences import live

STEPS = (8, 12)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("part", range(len(STEPS)))
def test_every_life_of_an_order_keeps_the_rules(part, settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    live(OrderLife, "orders", part=part, parts=len(STEPS), steps=STEPS[part])
