"""Many want the last one: separate processes on one database. STACK_RACES says how often (10)."""

import os
import time

import pytest

from shop.tests.racing import PROCESSES, buyers  # noqa: F401 (a fixture)

pytestmark = pytest.mark.database

ROUNDS = int(os.environ.get("STACK_RACES", "10"))
HEAD_START = 0.02


def at_once(buyers, act, *each):
    start = time.time() + HEAD_START
    racing = buyers[: len(each)]
    for buyer, options in zip(racing, each, strict=True):
        buyer.tell(act, **options, at=start)
    return sorted(buyer.answer() for buyer in racing)


@pytest.mark.parametrize("race", range(ROUNDS))
def test_the_last_piece_is_sold_to_one_of_many_buyers(buyers, race):
    product, carts = buyers[0].ask("prepare", left=1, buyers=PROCESSES).values()

    outcome = at_once(buyers, "buy", *({"cart": cart} for cart in carts))

    counted = buyers[0].ask("count", product=product)
    assert outcome == ["OutOfStock"] * (PROCESSES - 1) + ["ordered"]
    assert (counted["stock"], len(counted["orders"]), counted["holding"], counted["invoices"]) == (0, 1, 1, 1)


@pytest.mark.parametrize("race", range(ROUNDS))
def test_a_voucher_is_used_as_often_as_it_may_by_many_buyers(buyers, race):
    """Three uses for eight buyers, each of whom comes back when the database was busy."""
    _product, carts = buyers[0].ask("prepare", left=100, buyers=PROCESSES, voucher=f"RACE{race}", uses=3).values()

    outcome = at_once(buyers, "buy", *({"cart": cart} for cart in carts))

    assert outcome == ["VoucherRefused"] * (PROCESSES - 3) + ["ordered"] * 3
    assert buyers[0].ask("count_voucher", code=f"RACE{race}") == [3, 3]


@pytest.mark.parametrize("race", range(ROUNDS))
def test_a_cart_that_is_ordered_twice_at_once_makes_one_order(buyers, race):
    product, carts = buyers[0].ask("prepare", left=5, buyers=1).values()

    outcome = at_once(buyers, "buy", {"cart": carts[0]}, {"cart": carts[0]})

    counted = buyers[0].ask("count", product=product)
    assert "ordered" in outcome
    assert outcome[0] in ("CartBlocked", "CartChanged")
    assert (counted["stock"], len(counted["orders"])) == (4, 1)


@pytest.mark.parametrize(("left", "most"), [(100, 2), (4, 20)])
def test_a_visitor_who_orders_many_times_at_once_passes_neither_the_number_nor_the_share(buyers, left, most):
    """Two unpaid orders of plenty, and half of the last four pieces."""
    for race in range(ROUNDS):
        product, carts = buyers[0].ask("prepare", left=left, buyers=PROCESSES).values()
        email = f"hoarder-{left}-{race}@example.com"

        outcome = at_once(buyers, "hoard", *({"cart": cart, "email": email, "most": most} for cart in carts))
        rest = [buyers[0].ask("hoard", cart=cart, email=email, most=most, at=0) for cart in carts]

        counted = buyers[0].ask("count", product=product)
        assert set(outcome + rest) <= {"ordered", "OrderMoved", "OutOfStock", "CartBlocked", "TooManyUnpaid", "TooManyUnits"}
        assert (len(counted["orders"]), counted["stock"]) == (2, left - 2)


def test_buyers_of_one_address_who_order_at_once_stay_below_the_limit_of_the_day_together(buyers):
    """Eight carts of 49.99, of which two are within the limit. Their mail addresses differ."""
    product, carts = buyers[0].ask("prepare", left=100, buyers=PROCESSES).values()
    day = {"moment": time.time()}  # a midnight in between would begin a new sum

    outcome = at_once(buyers, "spend", *({"cart": cart, "email": f"buyer{n}@example.com", **day} for n, cart in enumerate(carts)))
    rest = {buyers[0].ask("spend", cart=cart, email="last@example.com", **day, at=0) for cart in carts}

    assert set(outcome) | rest <= {"ordered", "VerificationNeeded", "CartBlocked", "OrderMoved"}
    assert len(buyers[0].ask("count", product=product)["orders"]) == 2


@pytest.mark.parametrize("race", range(ROUNDS))
def test_a_webhook_that_many_processes_receive_at_once_counts_once(buyers, race):
    outcome = at_once(buyers, "hear", *[{"webhook_id": f"msg_{race}"}] * PROCESSES)

    assert outcome == ["first"] + ["repeated"] * (PROCESSES - 1)


@pytest.mark.parametrize("race", range(ROUNDS))
def test_an_order_that_is_cancelled_twice_at_once_returns_its_stock_once(buyers, race):
    product, carts = buyers[0].ask("prepare", left=1, buyers=1).values()
    assert buyers[0].ask("buy", cart=carts[0], at=0) == "ordered"
    order = buyers[0].ask("count", product=product)["orders"][0]

    outcome = at_once(buyers, "cancel", {"order": order}, {"order": order})

    counted = buyers[0].ask("count", product=product)
    assert outcome == ["IllegalTransition", "cancelled"]
    assert (counted["stock"], counted["holding"]) == (1, 0)
