"""The exceptions queue: what waits for a person, and what each button does to the order, the stock and the mails."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.models import Cursor, Invoice, Option, Payment, Payout
from payments.tests.factories import PayoutFactory
from shop.admin.tests.exceptions import QUEUE, invoice_of, late_order, long_ago, partial_order, press, shown, staff_who_may
from shop.models import Product
from shop.orders.lifecycle import change_status
from shop.tests.paying import TIP, newest_option, open_order, pay, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_empty_exceptions_queue_says_that_there_is_nothing_to_do(client, grace):
    assert "There is nothing to do." in shown(client)


def test_an_underpaid_order_is_shown_with_its_amounts_and_actions(client, grace):
    order = partial_order()
    text = shown(client)
    for words in (order.number, "Only a part of the price was paid in time.", "$99.98", "$59.98", "$40.00", "0.00092289 BTC"):
        assert words in text
    for words in ("Accept as paid", "Ask for the rest", "Dismiss"):
        assert words in text
    assert f'href="/admin/shop/order/{order.pk}/change/"' in text


def test_an_underpaid_order_has_a_button_that_drafts_its_refund(client, grace):
    order = partial_order()
    link = f"/admin/payments/payout/draft/{invoice_of(order).pk}/late/"
    assert link in shown(client)

    page = client.get(link)
    assert page.status_code == 200
    answer = client.post(
        link, {"network": "BTC", "unit": "coins", "amount": page.context["form"].initial["amount"], "reason": "too little"}, follow=True
    )

    assert "The payout is drafted" in answer.text
    payout = Payout.objects.get()
    assert (payout.kind, payout.status, payout.created_by) == ("late", "draft", "grace")
    assert Mail.objects.filter(key=f"refund-asked:{payout.pk}", to=order.email).exists()
    assert "There is nothing to do." in shown(client)

    client.post(f"/admin/payments/payout/{payout.pk}/act/withdraw/", {"reason": "a slip"})
    assert order.number in shown(client)


def test_staff_without_permission_to_draft_payouts_see_no_refund_button(client):
    staff_who_may(client, "view_invoice", "change_invoice")
    order = partial_order()
    assert "/admin/payments/payout/draft/" not in shown(client)
    assert client.get(f"/admin/payments/payout/draft/{invoice_of(order).pk}/late/").status_code == 403


def test_staff_with_only_permission_to_draft_payouts_see_only_the_refund_button(client):
    staff_who_may(client, "view_invoice", "add_payout")
    order = partial_order()
    text = shown(client)
    assert f"/admin/payments/payout/draft/{invoice_of(order).pk}/late/" in text
    assert "/decide/" not in text
    assert "Ask for the rest" not in text


def test_staff_without_permission_to_see_payouts_get_no_link_to_them(client):
    payout = PayoutFactory(status="unknown")
    staff_who_may(client, "view_invoice")
    assert payout.amount_text in shown(client)
    assert f"/admin/payments/payout/{payout.pk}/" not in shown(client)
    staff_who_may(client, "view_invoice", "view_payout")
    assert f"/admin/payments/payout/{payout.pk}/" in shown(client)


def test_a_paid_order_that_was_cancelled_has_a_refund_button(client, grace):
    order = long_ago()
    pay(order)
    change_status(order.pk, "cancelled", actor="grace", at=timezone.now())
    link = f"/admin/payments/payout/draft/{invoice_of(order).pk}/refund/"
    assert link in shown(client)
    assert link in client.get(f"/admin/shop/order/{order.pk}/change/").text

    staff_who_may(client, "view_invoice", "view_order", "change_order", "view_payout")
    assert order.number in shown(client)
    assert link not in shown(client) + client.get(f"/admin/shop/order/{order.pk}/change/").text


def test_the_exceptions_queue_shows_the_oldest_first(client, grace):
    orders = [partial_order(product__sku=sku) for sku in ("A", "B")]
    Invoice.objects.filter(subject_id=orders[1].pk).update(exception_at=timezone.now() - timedelta(days=9))
    text = shown(client)
    assert text.index(orders[1].number) < text.index(orders[0].number)


def test_accepting_a_payment_processes_the_order_with_its_stock(client, grace):
    order = partial_order()
    text = press(client, order, "accept").text
    order.refresh_from_db()
    assert (order.status, order.payment_status, order.on_hold, Product.objects.get().stock) == ("processing", "paid", False, 8)
    assert "is accepted as paid" in text
    assert "There is nothing to do." in text
    assert Mail.objects.filter(key=f"payment-confirmed:{order.pk}").exists()


def test_accepting_a_payment_for_a_sold_out_product_puts_the_order_on_hold(client, grace):
    order = partial_order()
    Product.objects.update(stock=0)
    text = press(client, order, "accept").text
    assert "Orders on hold (1)" in text
    assert "Paid, but out of stock. Copper Kettle is sold out." in text


def test_undoing_an_acceptance_puts_the_order_on_hold(client, grace):
    order = partial_order()
    press(client, order, "accept")
    press(client, order, "take-back")
    order.refresh_from_db()
    assert (order.status, order.on_hold, invoice_of(order).status) == ("processing", True, "expired")
    assert "Accept as paid" in shown(client)


def test_closing_a_payment_returns_the_stock_and_can_be_undone_while_it_is_in_stock(client, grace):
    order = open_order()
    press(client, order, "close")
    assert Product.objects.get().stock == 10
    Product.objects.update(stock=1)
    response = press(client, order, "take-back")
    assert (response.status_code, "Only 1 of Copper Kettle is left." in response.text) == (409, True)

    Product.objects.update(stock=2)
    press(client, order, "take-back")
    order.refresh_from_db()
    assert (invoice_of(order).status, order.holds_stock, Product.objects.get().stock) == ("new", True, 0)


def test_a_dismissed_exception_leaves_the_queue_and_can_be_put_back(client, grace):
    order = partial_order()
    assert "There is nothing to do." in press(client, order, "keep").text
    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("pending", "underpaid")
    assert order.number in press(client, order, "put-back").text


def test_asking_for_the_rest_opens_a_quote_and_mails_the_buyer(client, grace, settings):
    order = partial_order()
    page = client.get(f"{QUEUE}{invoice_of(order).pk}/ask/").text
    assert "ada@example.com gets an email with a link to pay $40.00" in page

    text = press(client, order, "ask", network="LTC").text

    assert "ada@example.com was asked for the payment by email." in text
    order.refresh_from_db()
    option = newest_option(order)
    assert (order.payment_status, order.holds_stock, order.network) == ("underpaid", True, "LTC")
    assert (option.network, option.due_base, invoice_of(order).status) == ("LTC", 50_000_000, "new")
    mail = Mail.objects.get(key__startswith="payment_rest")
    assert f"{settings.PUBLIC_URL}/pay/{option.invoice_id}/?order={order.access_token}" in mail.text
    assert "/refund/" in mail.text
    event = Event.objects.filter(subject_id=order.pk).latest("seq")
    assert (event.type, event.actor) == ("order.requoted", "grace")

    tell(order, height=TIP - 1, reference="b" * 64 + ":0", seen_at=timezone.now(), at=timezone.now())
    assert (order.status, order.payment_status) == ("processing", "paid")


def test_a_buyer_who_is_asked_for_the_rest_can_request_a_refund_instead(client, grace, settings):
    order = partial_order()
    press(client, order, "ask")
    link = re.search(r"/refund/\S+", Mail.objects.get(key__startswith="payment_rest").text)[0]
    address = "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"
    client.post(link, {"network": "BTC", "destination": address})
    assert not Payout.objects.exists()  # it can still be paid
    run_out(order, at=timezone.now() + timedelta(minutes=15))

    client.post(link, {"network": "BTC", "destination": address})
    payout = Payout.objects.get()
    assert (payout.kind, payout.status, payout.created_by, payout.destination) == ("late", "draft", "buyer", address)

    tell(order, height=TIP - 1, reference="b" * 64 + ":0", seen_at=timezone.now(), at=timezone.now() + timedelta(minutes=16))
    assert (order.status, order.payment_status) == ("pending", "underpaid")
    assert "Your refund is on its way" in client.get(f"/pay/{payout.invoice_id}/").text


def test_asking_for_the_rest_accepts_late_money_that_is_enough_at_todays_rate(client, grace):
    order = late_order()
    assert "That is enough: the order is processed at once" in client.get(f"{QUEUE}{invoice_of(order).pk}/ask/").text
    assert "What was received is enough" in press(client, order, "ask").text
    order.refresh_from_db()
    assert (order.status, order.payment_status, Payment.objects.get().late) == ("processing", "paid", "accepted")
    assert not Mail.objects.filter(key__startswith="payment_rest").exists()


def test_asking_for_the_rest_of_a_sold_out_order_is_refused(client, grace):
    order = partial_order()
    Product.objects.update(stock=0)
    response = press(client, order, "ask")
    assert (response.status_code, "Copper Kettle is sold out." in response.text) == (409, True)
    assert not Mail.objects.filter(key__startswith="payment_rest").exists()


@pytest.mark.parametrize("act", ["accept", "keep", "ask"])
def test_the_second_of_two_decisions_is_refused(client, grace, act):
    order = partial_order()
    seen = invoice_of(order).version
    press(client, order, "close")
    options = Option.objects.count()
    response = press(client, order, act, version=seen)
    assert response.status_code == 409
    assert "This has changed since you opened it" in response.text
    assert (invoice_of(order).status, Option.objects.count()) == ("invalid", options)


def test_staff_cannot_ask_for_the_rest_before_the_quote_expires(client, grace):
    order = open_order()
    tell(order, percent=60, height=TIP - 1)
    assert "its quote has not expired yet" in press(client, order, "ask").text


def test_a_payment_for_a_cancelled_order_can_be_dismissed_but_not_accepted(client, grace):
    order = long_ago()
    change_status(order.pk, "cancelled", actor="grace", at=order.created_at)
    tell(order, height=TIP - 1)
    text = shown(client)
    assert "Money was received although this was closed" in text
    assert "Accept as paid" not in text
    assert "Ask for the rest" not in text
    assert "Dismiss" in text


def test_a_reorg_is_shown_once_not_again_as_an_order_on_hold(client, grace):
    order = long_ago()
    pay(order)
    tell(order)
    text = shown(client)
    assert "A payment that had settled was taken back" in text
    assert "Orders on hold" not in text
    pay(order)
    assert "There is nothing to do." in shown(client)


def test_an_overpaid_invoice_shows_by_how_much(client, grace):
    order = long_ago()
    pay(order, percent=150)
    text = shown(client)
    assert "More was received than was asked for." in text
    assert "Overpaid by" in text
    assert "$49.99" in text
    assert "Accept as paid" not in text


def test_a_payment_without_confirmation_for_a_day_is_shown_as_stuck(client, grace):
    order, young = long_ago(), open_order(product__sku="POT")
    tell(order)
    tell(young, reference="b" * 64 + ":0", seen_at=timezone.now())
    text = shown(client)
    assert "Not confirmed (1)" in text
    assert order.number in text
    assert young.number not in text
    assert "Accept as paid" in text
    assert "Dismiss" not in text


def test_a_network_that_does_not_answer_is_shown(client, grace):
    Cursor.objects.create(network="LTC", failing_since=timezone.now(), last_error="connection refused")
    assert "connection refused" in shown(client)


@pytest.mark.parametrize(("status", "is_shown"), [("unknown", True), ("failed", True), ("sent", False), ("draft", False)])
def test_payouts_in_trouble_are_shown(client, grace, status, is_shown):
    PayoutFactory(status=status, error="no route")
    assert ("no route" in shown(client)) is is_shown


@pytest.mark.parametrize(("network", "words"), [("BTC", "how to abandon it"), ("BTC-LN", "It is not known yet whether it was sent")])
def test_a_payout_in_an_unknown_state_says_what_to_do(client, grace, network, words):
    PayoutFactory(status="unknown", network=network)
    assert words in shown(client)


def test_a_failed_payout_is_shown_until_another_one_is_drafted(client, grace):
    failed = PayoutFactory(status="failed", error="no route", created_at=timezone.now() - timedelta(hours=1))
    assert "no route" in shown(client)
    PayoutFactory(invoice=failed.invoice, status="draft", created_at=timezone.now())
    assert "no route" not in shown(client)


def test_a_failed_payout_is_not_shown_beside_the_exception_of_its_invoice(client, grace):
    order = partial_order()
    PayoutFactory(invoice=invoice_of(order), status="failed", error="no route")
    text = shown(client)
    assert "no route" not in text
    assert order.number in text


@pytest.mark.parametrize(("is_cancelled", "kind"), [(False, "excess"), (True, "refund")])
def test_an_overpaid_order_offers_the_excess_or_once_cancelled_a_full_refund(client, grace, is_cancelled, kind):
    order = long_ago()
    pay(order, percent=150)
    if is_cancelled:
        change_status(order.pk, "cancelled", actor="grace", at=timezone.now())
    assert f"/admin/payments/payout/draft/{invoice_of(order).pk}/{kind}/" in shown(client)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "draft"}, "It waits for approval."),
        ({"status": "draft", "approved_by": "ada"}, "ada has approved it. It also needs the approval of a second person."),
        ({"status": "approved", "psbt": "cHNidP8="}, "Its transaction waits to be signed"),
        ({"status": "approved", "error": "send the payout from another wallet"}, "send the payout from another wallet"),
        ({"status": "approved", "blocked_by": "cover", "error": "It is gone."}, "It is gone."),
        ({"status": "draft", "blocked_by": "cover", "error": "It is gone."}, "It is gone."),
    ],
)
def test_payouts_that_wait_for_staff_are_in_the_queue_and_in_the_tasks(client, grace, fields, words):
    payout = PayoutFactory(**fields)
    text = shown(client)
    assert words in text
    assert f"/admin/payments/payout/{payout.pk}/change/" in text
    task = "Payouts that failed, stopped or are unclear" if payout.blocked_by else "Payouts to approve, sign or send"
    assert task in client.get("/admin/").content.decode()


@pytest.mark.parametrize("fields", [{"status": "draft", "destination": ""}, {"status": "approved"}, {"status": "sent"}])
def test_payouts_that_nobody_of_staff_must_act_on_are_not_in_the_queue(client, grace, fields):
    PayoutFactory(**fields)
    assert "Payouts that wait for you" not in shown(client)
