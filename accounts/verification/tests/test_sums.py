import uuid
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.verification.models import SpendingSum
from accounts.verification.sums import LimitPassed, _parties, place_of, prepare_claim, release, words_of
from cryptons.db import in_transaction

NOW = datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
STREETS = ("Main Street", "Side Street")
STEPS = st.lists(
    st.tuples(st.sampled_from(["order", "cancel"]), st.integers(0, 2), st.integers(0, 1), st.integers(1, 60), st.booleans()), max_size=12
)


@pytest.mark.parametrize(
    ("written", "otherwise"),
    [
        (
            {"street": "12 Main St.", "postalCode": "N1 1AA", "country": "GB"},
            {"street": "main st 12", "postalCode": "n11aa", "country": "gb"},
        ),
        (
            {"street": "Łódzka 5", "city": "Kraków", "country": "PL"},
            {"street": "lodzka, 5", "street2": "Flat 3", "city": "krakow", "name": "Other", "country": "PL"},
        ),
    ],
)
def test_one_place_written_in_two_ways_has_one_sum(written, otherwise):
    assert place_of(written) == place_of(otherwise)


def test_words_are_compared_without_accents_case_and_signs():
    assert words_of("Łódź-Widzew, STRASSE_ß") == ["lodz", "widzew", "strasse", "ss"]


@pytest.mark.parametrize("email", [" Ada@XN--BCHER-KVA.example", "ada+second@bücher.example"])
def test_a_mailbox_is_one_party_however_its_address_is_written(email):
    assert _parties(None, email, {}) == _parties(None, "ada@bücher.example", {})


@pytest.mark.django_db
@given(steps=STEPS)
@settings(max_examples=15)
@override_settings(VERIFICATION_DAILY_LIMIT=Decimal("1.00"), VERIFICATION_MONTHLY_LIMIT=Decimal("1.50"))
def test_each_sum_is_that_of_its_orders_and_never_above_its_limit(steps):
    """Several people order and cancel at shared addresses, on both sides of a month's end."""
    run, orders, totals = uuid.uuid4().hex, {}, defaultdict(int)
    for act, person, street, amount, is_late in steps:
        if act == "cancel":
            if orders:
                order, (keys, taken) = orders.popitem()
                in_transaction(lambda order=order: release(order))
                for key in keys:
                    totals[key] -= taken
            continue
        at = datetime(2026, 12, 1, 1, 0, tzinfo=UTC) if is_late else NOW
        address = {"street": STREETS[street] + run, "city": "London", "country": "GB"}
        order = uuid.uuid4()
        try:
            claim = prepare_claim(uuid.UUID(int=person + 1 + int(run[:8], 16)), f"{person}{run}@example.com", address, amount, at=at)
        except LimitPassed:
            continue
        in_transaction(lambda claim=claim, order=order: claim.take(order))
        keys = [key for limit in claim.limits for key in limit.keys]
        orders[order] = (keys, amount)
        for key in keys:
            totals[key] += amount
            assert totals[key] <= next(limit.most_minor for limit in claim.limits if key in limit.keys)
    stored = SpendingSum.objects.filter(key__in=totals).values_list("key", "total_minor")
    assert dict(stored) == dict(totals)


@pytest.mark.django_db(transaction=True)
def test_an_order_for_which_another_took_the_room_is_not_counted(settings):
    settings.VERIFICATION_DAILY_LIMIT = Decimal("1.00")
    address = {"street": "Main Street", "city": "London", "country": "GB"}
    first, second = (prepare_claim(None, "ada@example.com", address, 60, at=NOW) for _ in range(2))

    in_transaction(lambda: first.take(uuid.uuid4()))

    with pytest.raises(LimitPassed):
        in_transaction(lambda: second.take(uuid.uuid4()))
    assert set(SpendingSum.objects.values_list("total_minor", flat=True)) == {60}
