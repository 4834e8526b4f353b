"""What an order tells of its buyer to payouts, and what it learns of them."""

from datetime import timedelta

import pytest

from accounts.tests.factories import UserFactory
from payments.models import Invoice, Payout
from payments.payouts.workflow import draft_payout
from payments.subject import subject
from shop.models import Order
from shop.tests.paying import NOW, TIP, pay, placed, tell

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"
LATER = NOW + timedelta(minutes=5)
"""After the payment settled."""


def invoice_of(order):
    return Invoice.objects.get(subject_id=order.pk)


def test_the_buyer_of_an_order_is_known_to_its_payouts():
    user = UserFactory()
    order = placed(user=user)
    invoice = invoice_of(order)
    assert subject().buyer_id(invoice) == user.pk
    Order.objects.update(user=None)
    assert subject().buyer_id(invoice) is None


@pytest.mark.parametrize("is_sent", [False, True])
def test_an_order_is_held_for_a_vanished_excess_only_if_the_excess_was_sent(is_sent):
    order = placed()
    pay(order)
    tell(order, percent=50, height=TIP - 1, reference="over:0")
    payout = draft_payout(invoice_of(order).pk, kind="excess", network="BTC", actor="grace", at=LATER, destination=HOME)
    if is_sent:
        Payout.objects.filter(pk=payout.pk).update(status="sent")

    tell(order, percent=50, reference="over:0", present=False, conflicted=True)

    reason = "Money of this order was refunded, and a payment was taken back after that, so the rest does not pay it."
    assert (order.status, order.hold_reason) == ("processing", reason if is_sent else "")
