"""An order whose money goes back: what it says, what it holds, which mails go out."""

from datetime import timedelta

import pytest

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.models import Invoice
from payments.payouts import approve_payout, draft_payout, mark_sent, set_destination, withdraw_payout
from shop.errors import IllegalTransition
from shop.orders import change_status
from shop.tests.paying import NOW, TIP, TOO_LATE, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "bcrt1qhome00000000000000"
LATER = NOW + timedelta(minutes=5)
"""After the payment settled."""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Nobody sends by itself: the tests say when it was sent."""
    monkeypatch.setattr("payments.tasks.soon", lambda *_, **__: None)


def drafted(order, kind="refund", **more):
    invoice = Invoice.objects.get(subject_id=order.pk)
    return draft_payout(invoice.pk, **{"kind": kind, "network": "BTC", "actor": "grace", "at": NOW, **more})


def sent(order, kind="refund", **more):
    payout = drafted(order, kind, destination=HOME, **more)
    approve_payout(payout.pk, actor="grace", at=NOW)
    payout.refresh_from_db()
    if payout.status == "draft":
        approve_payout(payout.pk, actor="ada", at=NOW)
        payout.refresh_from_db()
    mark_sent(payout, f"{payout.pk.hex:0>64}", fee_base=1, at=NOW)
    order.refresh_from_db()
    return payout


def mails(key):
    return Mail.objects.filter(key__startswith=key).count()


def test_an_order_is_refunded_when_all_went_back():
    order = placed()
    pay(order)
    sent(order)
    assert (order.payment_status, order.on_hold) == ("refunded", False)
    assert Event.objects.filter(subject_id=order.pk).latest("seq").type == "order.refunded"


def test_money_that_comes_after_a_refund_pays_the_order_no_second_time():
    order = placed()
    pay(order)
    sent(order, at=LATER)
    tell(order, percent=1, height=TIP - 1, at=LATER + timedelta(minutes=1), reference=f"{'b' * 64}:0")
    assert (order.status, order.payment_status) == ("processing", "refunded")
    assert list(Invoice.objects.to_decide().values_list("subject_id", flat=True)) == [order.pk]


def test_an_order_whose_money_is_on_its_way_back_does_not_ship():
    order = placed()
    pay(order)
    drafted(order, destination=HOME, at=LATER)
    with pytest.raises(IllegalTransition, match="All of its money is on its way back to its buyer"):
        change_status(order.pk, "shipped", actor="grace", at=LATER)


@pytest.mark.parametrize("kind", ["excess", "refund"])
def test_an_order_of_which_a_part_goes_back_ships(kind):
    order = placed()
    pay(order, percent=150)
    sent(order, kind, at=LATER, **({"amount_base": 10_000} if kind == "refund" else {}))
    assert change_status(order.pk, "shipped", actor="grace", at=LATER).status == "shipped"


def test_an_order_ships_once_its_refund_is_withdrawn():
    order = placed()
    pay(order)
    payout = drafted(order, destination=HOME, at=LATER)
    withdraw_payout(payout.pk, actor="grace", reason="a slip", at=LATER)
    assert change_status(order.pk, "shipped", actor="grace", at=LATER).status == "shipped"


def test_a_part_that_went_back_refunds_no_order():
    order = placed()
    pay(order)
    sent(order, amount_base=10_000)
    assert order.payment_status == "paid"
    sent(order)
    assert order.payment_status == "refunded"


def test_an_excess_that_went_back_refunds_no_order():
    order = placed()
    pay(order, percent=150)
    sent(order, "excess")
    assert (order.status, order.payment_status) == ("processing", "overpaid")


def test_an_order_is_refunded_whichever_part_goes_last():
    order = placed()
    pay(order, percent=150)
    excess = drafted(order, "excess", destination=HOME)
    sent(order)
    assert order.payment_status == "overpaid"
    approve_payout(excess.pk, actor="ada", at=NOW)
    excess.refresh_from_db()
    mark_sent(excess, "e" * 64, fee_base=1, at=NOW)
    order.refresh_from_db()
    assert order.payment_status == "refunded"


def test_a_promise_is_no_refund():
    order = placed()
    pay(order)
    drafted(order, destination=HOME)
    order.refresh_from_db()
    assert order.payment_status == "paid"


def test_late_money_that_went_back_refunds_the_order():
    order = placed()
    run_out(order)
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE)
    assert order.payment_status == "late"
    sent(order, "late")
    assert order.payment_status == "refunded"


def test_the_hold_of_a_cancelled_order_ends_when_its_money_went_back():
    order = placed()
    pay(order)
    change_status(order.pk, "cancelled", actor="grace", at=NOW, reason="broken")
    order.refresh_from_db()
    assert order.on_hold
    sent(order)
    assert (order.status, order.payment_status, order.on_hold, order.hold_reason) == ("cancelled", "refunded", False, "")


def test_money_that_comes_later_shows_again():
    order = placed()
    run_out(order)
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE)
    sent(order, "late")
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE + timedelta(minutes=5), reference=f"{'b' * 64}:0")
    assert order.payment_status == "late"


def test_a_refunded_order_stays_so_when_its_invoice_is_looked_at_again():
    order = placed()
    run_out(order)
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE)
    sent(order, "late")
    tell(order, height=TIP - 2, seen_at=TOO_LATE, at=TOO_LATE + timedelta(minutes=5))
    assert order.payment_status == "refunded"


def test_the_buyer_is_asked_once_where_to():
    order = placed()
    pay(order)
    payout = drafted(order)
    assert mails(f"refund-asked:{payout.pk}") == 1
    set_destination(payout.pk, HOME, actor="buyer", at=NOW)
    withdraw_payout(payout.pk, actor="grace", reason="a slip", at=NOW)
    assert (mails("refund-asked"), mails("refund-sent")) == (1, 0)


def test_who_said_where_to_is_not_asked():
    order = placed()
    pay(order)
    drafted(order, destination=HOME)
    assert mails("refund-asked") == 0


def test_the_buyer_is_told_once_that_it_was_sent():
    order = placed()
    pay(order)
    payout = sent(order)
    tell(order, height=TIP - 2)
    assert mails("refund-sent") == 1
    assert Mail.objects.get(key=f"refund-sent:{payout.pk}").to == "ada@example.com"
