"""The order follows its invoice: payment status, stock, holds, mails."""

import pytest
from django.utils.translation import get_language, override

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.errors import InvoiceMoved
from payments.invoices.opening import override_invoice
from payments.invoices.settlement import settle
from payments.models import Invoice
from payments.subject import subject
from shop.models import Order, Product
from shop.orders.lifecycle import change_status
from shop.orders.payment import follow_invoice
from shop.tests.paying import LATE, NOW, TIP, TOO_LATE, TXID, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db


def events(order):
    return list(Event.objects.filter(subject_id=order.pk).order_by("seq").values_list("type", flat=True))


def stock():
    return Product.objects.get(sku="KETTLE").stock


def mails(order):
    return list(Mail.objects.filter(key__startswith="payment-confirmed").values_list("key", flat=True))


def settled_by_hand(order):
    override_invoice(Invoice.objects.get(subject_id=order.pk).pk, "settled", actor="grace", reason="paid in cash", at=NOW)
    order.refresh_from_db()


def test_a_payment_in_the_mempool_makes_the_order_pending():
    order = placed()
    tell(order)
    assert (order.status, order.payment_status, order.transaction_hash) == ("pending", "pending", TXID)
    assert events(order) == ["order.placed", "order.payment_seen"]
    assert mails(order) == []


def test_a_payment_in_a_block_makes_the_order_confirming():
    order = placed()
    tell(order)
    tell(order, height=TIP)
    assert (order.status, order.payment_status) == ("pending", "confirming")
    assert events(order) == ["order.placed", "order.payment_seen", "order.payment_confirming"]


def test_a_confirmed_payment_makes_the_order_paid_and_processing():
    order = placed()
    pay(order)
    assert (order.status, order.payment_status, order.on_hold) == ("processing", "paid", False)
    assert events(order) == ["order.placed", "order.paid"]
    assert mails(order) == [f"payment-confirmed:{order.pk}"]
    assert stock() == 8


def test_the_confirmation_mail_names_the_order_and_the_transaction():
    order = placed()
    pay(order)
    mail = Mail.objects.get(key=f"payment-confirmed:{order.pk}")
    assert mail.subject == f"Your payment for order {order.number} is confirmed"
    for text in (mail.text, mail.html):
        assert TXID in text
        assert "$99.98" in text
        assert f"/orders/{order.access_token}/" in text


def test_paying_less_makes_the_order_underpaid():
    order = placed()
    tell(order, percent=60)
    assert (order.status, order.payment_status) == ("pending", "underpaid")
    assert events(order) == ["order.placed", "order.underpaid"]


def test_paying_more_makes_the_order_overpaid():
    order = placed()
    pay(order, percent=150)
    assert (order.status, order.payment_status) == ("processing", "overpaid")


def test_an_expired_quote_returns_the_stock():
    order = placed()
    assert stock() == 8

    run_out(order)

    assert (order.status, order.payment_status, order.holds_stock) == ("pending", "expired", False)
    assert stock() == 10
    assert events(order) == ["order.placed", "order.payment_expired"]


def test_a_partly_paid_order_is_underpaid_when_its_quote_expires():
    order = placed()
    tell(order, percent=60)
    run_out(order)
    assert (order.payment_status, order.holds_stock) == ("underpaid", False)


def test_a_payment_after_the_grace_period_makes_the_order_late():
    order = placed()
    run_out(order)
    tell(order, seen_at=TOO_LATE, at=TOO_LATE)
    assert (order.status, order.payment_status, order.holds_stock) == ("pending", "late", False)
    assert Invoice.objects.get().exceptions == {"late"}


def test_a_payment_within_the_grace_period_is_accepted_and_takes_the_stock():
    order = placed()
    run_out(order)

    pay(order, seen_at=LATE, at=LATE)

    invoice = Invoice.objects.get()
    assert (order.status, order.payment_status, order.holds_stock, order.on_hold) == ("processing", "paid", True, False)
    assert (invoice.status, invoice.flags, invoice.needs_decision) == ("settled", {"late"}, False)
    assert stock() == 8


@pytest.mark.django_db(transaction=True)
def test_a_late_payment_for_a_sold_out_product_waits_for_a_decision():
    order = placed()
    run_out(order)
    Product.objects.update(stock=1)

    tell(order, seen_at=LATE, at=LATE)
    Product.objects.update(stock=5)
    pay(order, seen_at=LATE, at=LATE)

    invoice = Invoice.objects.get()
    assert (order.status, order.payment_status, order.holds_stock) == ("pending", "late", False)
    assert (invoice.status, invoice.needs_decision) == ("expired", True)
    assert stock() == 5


@pytest.mark.django_db(transaction=True)
def test_a_late_payment_for_a_cancelled_order_is_not_accepted():
    order = placed()
    run_out(order)
    change_status(order.pk, "cancelled", actor="grace", at=LATE)
    pay(order, seen_at=LATE, at=LATE)
    assert (order.status, order.payment_status, Invoice.objects.get().status) == ("cancelled", "late", "cancelled")


def test_a_payment_sent_in_time_takes_the_stock_again_after_expiry():
    order = placed()
    run_out(order)

    pay(order, at=LATE)

    assert (order.status, order.payment_status, order.holds_stock, order.on_hold) == ("processing", "paid", True, False)
    assert stock() == 8


def test_a_payment_for_a_sold_out_product_puts_the_order_on_hold():
    order = placed()
    run_out(order)
    Product.objects.update(stock=1)

    tell(order, at=LATE)

    assert (order.payment_status, order.holds_stock, order.on_hold) == ("pending", False, True)
    assert order.hold_reason == "Paid, but out of stock. Only 1 of Copper Kettle is left."
    assert stock() == 1


def test_new_stock_releases_the_hold_when_the_payment_settles():
    order = placed()
    run_out(order)
    Product.objects.update(stock=1)
    tell(order, at=LATE)
    Product.objects.update(stock=5)

    pay(order, at=LATE)

    assert (order.status, order.holds_stock, order.on_hold, order.hold_reason) == ("processing", True, False, "")
    assert stock() == 3


def test_missing_stock_keeps_a_settled_order_on_hold():
    order = placed()
    run_out(order)
    Product.objects.update(stock=0)
    pay(order, at=LATE)
    assert (order.status, order.payment_status, order.on_hold) == ("processing", "paid", True)


def test_a_reorg_puts_the_order_on_hold_until_it_settles_again():
    order = placed()
    pay(order)

    tell(order)

    assert (order.status, order.payment_status, order.on_hold) == ("processing", "pending", True)
    assert order.hold_reason == "A chain reorganisation removed the payment's block. Wait until it settles again."
    pay(order)
    assert (order.status, order.payment_status, order.on_hold, order.hold_reason) == ("processing", "paid", False, "")
    assert events(order) == ["order.placed", "order.paid", "order.held", "order.paid"]
    assert mails(order) == [f"payment-confirmed:{order.pk}:again", f"payment-confirmed:{order.pk}"]
    assert stock() == 8


def test_the_reason_of_a_hold_is_written_in_the_default_language_of_the_shop(monkeypatch):
    monkeypatch.setattr("shop.orders.payment._", lambda text: f"{get_language()}: {text}")
    order = placed()
    pay(order)

    with override("de"):
        tell(order)

    assert order.hold_reason == "en: A chain reorganisation removed the payment's block. Wait until it settles again."


def test_a_double_spend_after_settling_puts_the_order_on_hold_and_keeps_its_stock():
    order = placed()
    pay(order)
    tell(order, present=False, conflicted=True, at=LATE)
    assert (order.status, order.payment_status, order.on_hold, order.transaction_hash) == ("processing", "expired", True, "")
    assert stock() == 8


def test_a_double_spend_before_confirmation_puts_the_order_on_hold():
    order = placed()
    tell(order)
    tell(order, present=False, conflicted=True)
    assert (order.status, order.payment_status, order.on_hold) == ("pending", "unpaid", True)
    assert order.hold_reason == "The payment was spent elsewhere before it was confirmed (double spend)."


def test_an_order_is_unpaid_again_when_its_payment_leaves_the_mempool():
    order = placed()
    tell(order)
    tell(order, present=False)
    assert (order.status, order.payment_status, order.on_hold) == ("pending", "unpaid", False)
    assert events(order)[-1] == "order.payment_gone"


def test_an_order_in_processing_is_put_on_hold_when_its_payment_disappears():
    order = placed()
    tell(order)
    change_status(order.pk, "processing", actor="grace", at=NOW, reason="They pay by invoice.")
    tell(order, present=False)
    assert (order.on_hold, order.hold_reason) == (True, "The payment is no longer valid.")


def test_a_payment_for_a_cancelled_order_puts_it_on_hold_for_its_refund():
    order = placed()
    change_status(order.pk, "cancelled", actor="grace", at=NOW)

    pay(order)

    assert (order.status, order.payment_status, order.on_hold) == ("cancelled", "late", True)
    assert order.hold_reason == "A payment was received for this cancelled order: refund it."
    assert stock() == 10
    assert mails(order) == []


def test_accepting_an_invoice_by_hand_processes_the_order():
    order = placed()
    run_out(order)
    settled_by_hand(order)
    assert (order.status, order.payment_status, order.holds_stock) == ("processing", "paid", True)


def test_a_double_spend_after_manual_acceptance_puts_the_order_on_hold():
    order = placed()
    tell(order, percent=90)
    settled_by_hand(order)
    assert (order.status, order.on_hold) == ("processing", False)
    tell(order, percent=90, present=False, conflicted=True)
    assert (order.on_hold, order.hold_reason) == (True, "The payment was spent elsewhere before it was confirmed (double spend).")
    assert Invoice.objects.get().needs_decision


def test_a_double_spend_before_manual_acceptance_does_not_put_the_order_on_hold():
    order = placed()
    tell(order, present=True)
    tell(order, present=False, conflicted=True)
    settled_by_hand(order)
    assert (order.status, order.on_hold) == ("processing", False)


def test_refusing_an_unsettled_invoice_returns_the_stock():
    order = placed()
    tell(order)
    override_invoice(Invoice.objects.get().pk, "invalid", actor="grace", reason="stolen coins", at=NOW)
    order.refresh_from_db()
    assert (order.status, order.payment_status, order.holds_stock) == ("pending", "late", False)


def test_refusing_a_paid_invoice_puts_the_order_on_hold():
    order = placed()
    pay(order)
    override_invoice(Invoice.objects.get().pk, "invalid", actor="grace", reason="stolen coins", at=NOW)
    order.refresh_from_db()
    assert (order.status, order.on_hold, order.hold_reason) == ("processing", True, "The payment is no longer valid.")


def test_applying_the_same_verdict_twice_changes_nothing_but_the_mark_for_the_figures():
    order = placed()
    pay(order)
    columns = [field.attname for field in Order._meta.concrete_fields if field.name != "uncounted"]
    before = Order.objects.values(*columns).get()
    invoice = Invoice.objects.get()

    settle(invoice.pk, at=NOW)
    follow_invoice(invoice, at=NOW)

    assert Order.objects.values(*columns).get() == before
    assert Event.objects.filter(subject_id=order.pk).count() == 2


def test_the_last_event_contains_the_state_of_the_order():
    order = placed()
    for step in (tell, pay, tell, pay):
        step(order)
    last = Event.objects.filter(subject_id=order.pk).order_by("seq").last()
    assert last.seq == order.version
    assert last.data == {
        "status": order.status,
        "paymentStatus": order.payment_status,
        "onHold": order.on_hold,
        "holdReason": order.hold_reason,
        "transactionHash": order.transaction_hash,
    }


@pytest.mark.django_db(transaction=True)
def test_a_lost_race_on_the_order_rolls_the_whole_verdict_back(monkeypatch):
    order = placed()
    read = Order.objects.filter

    def moved_meanwhile(*args, **named):
        if "version" in named:
            return read(pk=None)
        return read(*args, **named)

    with monkeypatch.context() as patch, pytest.raises(InvoiceMoved):
        patch.setattr(Order.objects, "filter", moved_meanwhile)
        pay(order)

    order.refresh_from_db()
    invoice = Invoice.objects.get()
    assert (order.payment_status, invoice.status, invoice.needs_settling) == ("unpaid", "new", True)
    settle(invoice.pk, at=NOW)
    order.refresh_from_db()
    assert order.payment_status == "paid"


def test_an_invoice_without_an_order_changes_no_order():
    from payments.tests.factories import InvoiceFactory

    subject().on_invoice(InvoiceFactory(status="settled"), at=NOW)
    assert not Order.objects.exists()
