"""An order whose money goes back: what it says, what it holds, which mails go out."""

from datetime import timedelta

import pytest

from accounts.tests.factories import ApiClient, StaffFactory
from cryptons.api.limits import forget_counts
from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.models import Invoice, Payment, Payout
from payments.payouts.refund_links import refund_path
from payments.payouts.workflow import approve_payout, draft_payout, mark_sent, set_destination, withdraw_payout
from shop.errors import IllegalTransition
from shop.orders.lifecycle import change_status, release_hold
from shop.tests.paying import NOW, TIP, TOO_LATE, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"
LATER = NOW + timedelta(minutes=5)
"""After the payment settled."""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Nothing is sent until the test says so."""
    monkeypatch.setattr("payments.tasks.enqueue", lambda *_, **__: None)
    forget_counts()


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


def cancel(order):
    change_status(order.pk, "cancelled", actor="grace", at=NOW, reason="broken")
    order.refresh_from_db()


def link(order):
    return refund_path(Invoice.objects.get(subject_id=order.pk).pk)


def ask(client, order):
    """The buyer says where to, behind the link of their mail."""
    return client.post(link(order), {"network": "BTC", "destination": HOME}, follow=True)


def came(order):
    return sum(Payment.objects.filter(invoice__subject_id=order.pk).values_list("amount_base", flat=True))


def mails(key):
    return Mail.objects.filter(key__startswith=key).count()


def test_an_order_is_refunded_when_all_of_its_money_was_sent_back():
    order = placed()
    pay(order)
    sent(order)
    assert order.payment_status == "refunded"
    assert Event.objects.filter(subject_id=order.pk).latest("seq").type == "order.refunded"


def test_a_payment_after_a_refund_does_not_pay_the_order_again():
    order = placed()
    pay(order)
    sent(order, at=LATER)
    tell(order, percent=1, height=TIP - 1, at=LATER + timedelta(minutes=1), reference=f"{'b' * 64}:0")
    assert (order.status, order.payment_status) == ("processing", "refunded")
    assert list(Invoice.objects.to_decide().values_list("subject_id", flat=True)) == [order.pk]


def test_an_order_with_a_full_refund_in_progress_cannot_be_shipped():
    order = placed()
    pay(order)
    drafted(order, destination=HOME, at=LATER)
    with pytest.raises(IllegalTransition, match="All of its money is being refunded"):
        change_status(order.pk, "shipped", actor="grace", at=LATER)


@pytest.mark.parametrize("kind", ["excess", "refund"])
def test_a_partly_refunded_order_can_be_shipped(kind):
    order = placed()
    pay(order, percent=150)
    sent(order, kind, at=LATER, **({"amount_base": 10_000} if kind == "refund" else {}))
    assert change_status(order.pk, "shipped", actor="grace", at=LATER).status == "shipped"


def test_an_order_can_be_shipped_once_its_refund_is_withdrawn():
    order = placed()
    pay(order)
    payout = drafted(order, destination=HOME, at=LATER)
    withdraw_payout(payout.pk, actor="grace", reason="a slip", at=LATER)
    assert change_status(order.pk, "shipped", actor="grace", at=LATER).status == "shipped"


def test_a_partial_refund_does_not_make_the_order_refunded():
    order = placed()
    pay(order)
    sent(order, amount_base=10_000)
    assert order.payment_status == "paid"
    sent(order)
    assert order.payment_status == "refunded"


def test_refunding_the_excess_does_not_make_the_order_refunded():
    order = placed()
    pay(order, percent=150)
    sent(order, "excess")
    assert (order.status, order.payment_status) == ("processing", "overpaid")


def test_an_order_is_refunded_when_the_excess_is_sent_last():
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


def test_a_drafted_payout_does_not_make_the_order_refunded():
    order = placed()
    pay(order)
    drafted(order, destination=HOME)
    order.refresh_from_db()
    assert order.payment_status == "paid"


def test_sending_back_a_late_payment_makes_the_order_refunded():
    order = placed()
    run_out(order)
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE)
    assert order.payment_status == "late"
    sent(order, "late")
    assert order.payment_status == "refunded"


def test_the_hold_of_a_cancelled_order_ends_when_its_refund_is_sent():
    order = placed()
    pay(order)
    change_status(order.pk, "cancelled", actor="grace", at=NOW, reason="broken")
    order.refresh_from_db()
    assert order.on_hold
    sent(order)
    assert (order.status, order.payment_status, order.on_hold, order.hold_reason) == ("cancelled", "refunded", False, "")


def test_another_late_payment_after_a_refund_makes_the_order_late_again():
    order = placed()
    run_out(order)
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE)
    sent(order, "late")
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE + timedelta(minutes=5), reference=f"{'b' * 64}:0")
    assert order.payment_status == "late"


def test_a_refunded_order_stays_refunded_when_its_invoice_is_settled_again():
    order = placed()
    run_out(order)
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE)
    sent(order, "late")
    tell(order, height=TIP - 2, seen_at=TOO_LATE, at=TOO_LATE + timedelta(minutes=5))
    assert order.payment_status == "refunded"


def test_the_buyer_is_asked_once_where_to_send_the_refund():
    order = placed()
    pay(order)
    payout = drafted(order)
    assert mails(f"refund-asked:{payout.pk}") == 1
    set_destination(payout.pk, HOME, actor="buyer", at=NOW)
    withdraw_payout(payout.pk, actor="grace", reason="a slip", at=NOW)
    assert (mails("refund-asked"), mails("refund-sent")) == (1, 0)


def test_a_buyer_who_gave_an_address_is_not_asked_for_one():
    order = placed()
    pay(order)
    drafted(order, destination=HOME)
    assert mails("refund-asked") == 0


def test_the_buyer_is_mailed_once_that_the_refund_was_sent():
    order = placed()
    pay(order)
    payout = sent(order)
    tell(order, height=TIP - 2)
    assert mails("refund-sent") == 1
    assert Mail.objects.get(key=f"refund-sent:{payout.pk}").to == "ada@example.com"


# --- The whole order, however it ended ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("percent", [100, 150])
def test_the_buyer_of_a_cancelled_order_is_refunded_in_full(client, percent):
    order = placed()
    pay(order, percent=percent)
    cancel(order)

    ask(client, order)

    payout = Payout.objects.get()
    assert (payout.kind, payout.amount_base, payout.destination, payout.created_by) == ("refund", came(order), HOME, "buyer")


def test_the_buyer_of_an_exactly_paid_order_cannot_request_a_refund(client):
    order = placed()
    pay(order)
    ask(client, order)
    assert not Payout.objects.exists()
    assert "nothing to refund" in client.get(link(order), follow=True).text


def test_the_partial_payment_of_a_cancelled_order_can_be_refunded_at_once(client):
    order = placed()
    tell(order, percent=60, height=TIP - 1)
    cancel(order)
    assert (Invoice.objects.get().status, mails("money_back")) == ("cancelled", 1)

    ask(client, order)

    payout = Payout.objects.get()
    assert (payout.kind, payout.amount_base) == ("late", came(order))


def test_the_pay_page_of_a_cancelled_order_does_not_say_complete(client):
    order = placed()
    pay(order)
    page = f"/pay/{Invoice.objects.get().pk}/"
    assert "we are preparing your order" in client.get(page).text
    cancel(order)
    assert "The order was cancelled" in client.get(page).text
    assert "we are preparing your order" not in client.get(page).text
    sent(order)
    assert "Your refund was sent" in client.get(page).text


def test_the_pay_page_of_a_cancelled_order_does_not_ask_for_the_rest(client):
    order = placed()
    tell(order, percent=60)
    cancel(order)
    tell(order, percent=60, height=TIP - 1)
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.needs_decision) == ("cancelled", True)
    page = client.get(f"/pay/{invoice.pk}/").text
    assert "tell us where to send your refund" in page
    assert "pay__qr" not in page


def test_a_buyer_who_can_still_pay_cannot_request_a_refund_yet(client):
    order = placed()
    tell(order, percent=60, height=TIP - 1)
    page = client.get(link(order), follow=True).text
    assert "can still be paid until" in page
    assert 'name="destination"' not in page
    ask(client, order)
    assert not Payout.objects.exists()


def test_a_payment_confirmed_after_cancelling_can_be_refunded(client):
    order = placed()
    tell(order)
    cancel(order)
    assert "waiting for the network to confirm it" in client.get(link(order), follow=True).text
    pay(order)
    ask(client, order)
    assert Payout.objects.get().amount_base == came(order)


def test_the_refund_of_a_cancelled_order_excludes_what_was_sent_back_before(client):
    order = placed()
    pay(order)
    sent(order, amount_base=10_000)
    cancel(order)
    left = came(order) - 10_000

    ask(client, order)

    assert Payout.objects.get(status="draft").amount_base == left
    assert f"We have {left / 10**8:.8f} BTC that you sent" in Mail.objects.get(key__startswith="money_back").text


def test_the_refund_of_a_cancelled_order_excludes_the_excess_that_was_sent_back(client):
    order = placed()
    pay(order, percent=150)
    sent(order, "excess")
    cancel(order)
    ask(client, order)
    assert sum(Payout.objects.values_list("amount_base", flat=True)) == came(order)


@pytest.mark.parametrize(("amount", "status"), [(10_000, "paid"), (None, "refunded")])
def test_a_delivered_order_can_be_refunded_in_part_or_in_full(client, amount, status):
    order = placed()
    pay(order)
    for to in ("shipped", "delivered"):
        change_status(order.pk, to, actor="grace", at=NOW)
    payout = drafted(order, amount_base=amount)
    ask(client, order)
    payout.refresh_from_db()
    assert payout.destination == HOME

    for who in ("grace", "ada"):
        if payout.status == "draft":
            payout = approve_payout(payout.pk, actor=who, at=NOW)
    mark_sent(payout, "e" * 64, fee_base=1, at=NOW)

    order.refresh_from_db()
    assert (order.status, order.payment_status, order.on_hold) == ("delivered", status, False)


def test_a_refunded_order_is_on_hold_and_ships_only_after_its_release():
    order = placed()
    pay(order)
    sent(order, at=NOW + timedelta(days=1))
    assert (order.status, order.on_hold) == ("processing", True)
    assert "All of its money was refunded" in order.hold_reason

    tell(order, height=TIP - 2)
    assert order.on_hold
    release_hold(order.pk, actor="grace", at=NOW)
    shipped = change_status(order.pk, "shipped", actor="grace", at=NOW, reason="A present.")
    assert shipped.payment_status == "refunded"


def test_cancelling_a_refunded_order_offers_no_second_refund(client):
    order = placed()
    pay(order)
    sent(order)
    cancel(order)
    assert (order.status, order.payment_status, mails("money_back")) == ("cancelled", "refunded", 0)
    assert "your payment was refunded" in client.get(f"/orders/{order.access_token}/", follow=True).text
    assert "We sent you" in client.get(link(order), follow=True).text


def test_cancelling_an_order_with_a_drafted_refund_sends_no_second_mail():
    order = placed()
    pay(order)
    drafted(order)
    cancel(order)
    assert order.on_hold
    assert (mails("refund-asked"), mails("money_back")) == (1, 0)


def test_a_buyer_who_overpaid_is_mailed_about_the_excess_alone(client):
    order = placed()
    pay(order, percent=150)
    client.post(f"/orders/{order.access_token}/money-back/")
    assert (mails("payment_overpaid"), mails("money_back")) == (2, 0)


def test_a_cancelled_order_can_be_refunded_over_the_api():
    order = placed()
    pay(order)
    grace = ApiClient(StaffFactory())
    answer = grace.put(f"/api/orders/{order.pk}/status", {"status": "cancelled"}, content_type="application/json")
    assert answer.status_code == 200

    wanted = {"invoiceId": str(Invoice.objects.get().pk), "kind": "refund", "network": "BTC", "reason": "broken"}
    data = grace.post("/api/payouts", wanted).json()["data"]

    assert (data["kind"], data["status"], data["destination"]) == ("refund", "draft", None)
    assert Payout.objects.get().amount_base == came(order)
    assert mails("refund-asked") == 1
    assert grace.post("/api/payouts", wanted).status_code == 409
