"""Orders that were paid with play money do not ship and are not counted, once the shop takes real money."""

import pytest

from cryptons.mail.models import Mail
from payments.accounting.ledger import ledger, payments_in, payouts_in
from payments.accounting.periods import Period
from payments.models import Invoice
from payments.payouts.play_money import close_sandbox
from shop.errors import IllegalTransition
from shop.models import Order, Product
from shop.orders.exceptions_queue import read_queue
from shop.orders.lifecycle import change_status
from shop.tests.factories import NOW
from shop.tests.paying import pay, placed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def real(settings):
    """A node is configured now."""

    def take_real_money():
        settings.BITCOIN_RPC_HOST = "127.0.0.1"

    return take_real_money


def test_an_invoice_is_marked_for_ever_when_the_sandbox_opens_it(real):
    assert Invoice.objects.get(subject_id=placed().pk).is_sandbox
    real()
    assert Invoice.objects.get().is_sandbox


def test_an_order_of_play_money_cannot_be_shipped(real):
    order = placed()
    pay(order)
    real()

    with pytest.raises(IllegalTransition, match="play money"):
        change_status(order.pk, "shipped", actor="grace", at=NOW)


def test_orders_of_play_money_are_cancelled_and_their_stock_is_returned_without_a_mail(real):
    paid = placed()
    pay(paid, percent=150)
    open_order = placed(product=Product.objects.get())
    mails = Mail.objects.count()
    real()

    assert close_sandbox(at=NOW) == 2

    for order in (paid, open_order):
        order.refresh_from_db()
        assert (order.status, order.payment_status, order.on_hold) == ("cancelled", "unpaid", False)
    assert not Order.objects.to_ship().exists()
    assert Product.objects.get().stock == 10
    assert Mail.objects.count() == mails
    queue = read_queue(at=NOW)
    assert (queue.to_decide, queue.held, queue.payouts, len(queue.alerts)) == ([], [], [], 1)


def test_an_order_that_shipped_in_the_sandbox_stays_shipped_and_is_not_paid(real):
    order = placed()
    pay(order)
    change_status(order.pk, "shipped", actor="grace", at=NOW)
    real()

    close_sandbox(at=NOW)

    order.refresh_from_db()
    assert (order.status, order.payment_status, Product.objects.get().stock) == ("shipped", "unpaid", 8)


def test_play_money_is_not_counted_as_money(real):
    pay(placed())
    real()
    close_sandbox(at=NOW)
    period = Period(None, None)
    assert [row.status for row in ledger(payments_in(period), payouts_in(period))] in ([], ["gone"])
