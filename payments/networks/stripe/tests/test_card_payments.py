"""A card payment from the page of Stripe to the invoice: pay, lost news, too late, another amount, taken back, refunded, reconciled."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from payments.accounting.payouts import reconcile_payouts
from payments.accounting.periods import Period
from payments.accounting.reconcile import reconcile
from payments.errors import NodeRejected, NodeUnavailable, PayoutRefused
from payments.invoices.settlement import settle
from payments.models import Alert, Cursor, Invoice, Option, Payment, Payout
from payments.networks.stripe import network
from payments.networks.stripe.network import CardNetwork
from payments.networks.stripe.tests.conftest import DUE, request_for
from payments.payouts.sending import send
from payments.payouts.workflow import approve_payout, draft_payout, record_sent_by_hand, set_destination
from payments.sync.follower import poll
from payments.sync.option_sweep import check_open_options
from payments.tests.factories import OptionFactory

pytestmark = pytest.mark.django_db


def follow(at=None):
    """One turn of the follower, and the verdicts that it makes due."""
    at = at or timezone.now()
    for invoice_id in poll("CARD", at=at):
        settle(invoice_id, at=at)


def invoice_of(option):
    return Invoice.objects.get(pk=option.invoice_id)


def paid(stripe, option):
    intent = stripe.pay(option.destination)
    follow()
    assert invoice_of(option).status == "settled"
    return intent


# --- Being paid ---


def test_a_session_names_its_order_and_a_request_that_is_sent_again_makes_no_second_one(stripe, now):
    first = CardNetwork().open_destination(request_for(now))
    assert CardNetwork().open_destination(request_for(now)) == first
    assert [*stripe.sessions] == [first.text]
    session = stripe.sessions[first.text]
    assert (session["amount_total"], session["currency"], session["client_reference_id"]) == (DUE, "usd", "order_7K3M9-2QFXA")
    assert stripe.requests[0][2]["adaptive_pricing"] == {"enabled": "false"}
    assert session["expires_at"] >= int(now.timestamp()) + 1800
    assert first.payment_request == session["url"]
    assert CardNetwork().open_destination(request_for(now, amount=DUE + 1)).text != first.text


def test_a_payment_settles_its_invoice_once_however_often_its_events_come(stripe, option):
    intent = paid(stripe, option)
    version = invoice_of(option).version
    stripe.events += stripe.events[::-1]
    follow()
    payment = Payment.objects.get()
    assert (payment.reference, payment.amount_base, payment.status, payment.is_final) == (intent, DUE, "settled", False)
    assert invoice_of(option).version == version


def test_the_sweep_finds_what_no_event_told_and_closes_the_option(stripe, option, now):
    stripe.pay(option.destination)
    stripe.events.clear()
    follow()
    assert not Payment.objects.exists()
    for invoice_id in check_open_options("CARD", at=now):
        settle(invoice_id, at=now)
    assert invoice_of(option).status == "settled"
    assert Option.objects.get().is_closed


def test_the_sweep_expires_the_session_when_its_quote_ends(stripe, option, now):
    check_open_options("CARD", at=now)
    assert not Option.objects.get().is_closed
    check_open_options("CARD", at=now + timedelta(minutes=16))
    assert stripe.sessions[option.destination]["status"] == "expired"
    assert Option.objects.get().is_closed


def test_the_sweep_asks_stripe_about_few_options_in_one_turn(stripe, option, now, monkeypatch):
    OptionFactory.create_batch(10, network="CARD", invoice=option.invoice)
    asked, standing = [], CardNetwork.standing
    monkeypatch.setattr(CardNetwork, "standing", lambda self, destinations: asked.append(len(destinations)) or standing(self, destinations))
    check_open_options("CARD", at=now)
    assert asked == [10, 1]


@pytest.mark.parametrize(("amount", "status", "flags"), [(9_000, "new", set()), (20_000, "settled", {"overpaid"})])
def test_the_amount_that_was_charged_counts_and_not_the_one_that_was_asked(stripe, option, amount, status, flags):
    stripe.pay(option.destination, amount=amount)
    follow()
    assert (invoice_of(option).status, set(invoice_of(option).flags)) == (status, flags)


def test_a_charge_in_another_currency_pays_nothing_and_staff_are_told(stripe, option):
    stripe.pay(option.destination, currency="jpy")
    follow()
    assert not Payment.objects.exists()
    assert option.destination in Alert.objects.get().text


def test_a_session_that_stripe_converted_to_the_buyers_currency_pays_nothing_and_staff_are_told(stripe, option):
    stripe.sessions[option.destination] |= {"currency": "jpy", "amount_total": 1_500_000}
    stripe.pay(option.destination)
    follow()
    assert not Payment.objects.exists()
    assert option.destination in Alert.objects.get().text


def test_a_payment_that_comes_after_the_quote_is_late(stripe, option, now):
    stripe.now = int((now + timedelta(hours=3)).timestamp())
    stripe.pay(option.destination)
    Invoice.objects.update(expires_at=now - timedelta(hours=3))
    Option.objects.update(expires_at=now - timedelta(hours=3))
    follow()
    assert (invoice_of(option).status, set(invoice_of(option).flags)) == ("expired", {"late"})


def test_an_event_cursor_that_stripe_has_forgotten_begins_with_the_newest_events(stripe, option):
    follow()
    stripe.tell("charge.succeeded", {"object": "charge", "payment_intent": None})
    follow()
    stripe.events.clear()
    stripe.pay(option.destination)
    follow()
    assert invoice_of(option).status == "settled"


def test_a_turn_without_time_for_all_events_goes_on_with_the_next_ones(stripe, option, monkeypatch):
    monkeypatch.setattr(network, "ENOUGH", timedelta(days=1))
    others = [stripe.tell("charge.succeeded", {"object": "charge", "payment_intent": None})["id"] for _ in range(2)]
    stripe.pay(option.destination)
    for event_id in others:
        follow()
        assert Cursor.objects.get(network="CARD").value == event_id
    assert not Payment.objects.exists()
    follow()
    assert invoice_of(option).status == "settled"


@pytest.mark.parametrize(("status", "error"), [(500, NodeUnavailable), (429, NodeUnavailable), (401, NodeRejected), (403, NodeRejected)])
def test_trouble_is_told_and_nothing_is_concluded_from_it(stripe, option, status, error):
    stripe.pay(option.destination)
    stripe.troubles = [status] * 2
    with pytest.raises(error):
        CardNetwork().lookup([option.destination])
    follow()
    assert not Payment.objects.exists()
    follow()
    assert invoice_of(option).status == "settled"


# --- Being taken back ---


def test_a_dispute_takes_the_payment_back_until_it_is_won(stripe, option):
    intent = paid(stripe, option)
    dispute = stripe.dispute(intent, DUE)
    follow()
    assert "reorged" in invoice_of(option).exceptions
    assert Payment.objects.get().status == "gone"
    assert "fraudulent" in Alert.objects.get().text
    stripe.close_dispute(dispute, "won")
    follow()
    assert invoice_of(option).status == "settled"


def test_a_refund_in_the_dashboard_takes_its_part_back(stripe, option):
    intent = paid(stripe, option)
    stripe.refund_in_dashboard(intent, 2_500)
    follow()
    assert Payment.objects.get().amount_base == 7_500
    assert "reorged" in invoice_of(option).exceptions
    stripe.refund_in_dashboard(intent, 7_500)
    follow()
    assert Payment.objects.get().status == "gone"


def test_each_of_many_refunds_in_the_dashboard_counts(stripe, option):
    intent = paid(stripe, option)
    for _ in range(12):
        stripe.refund_in_dashboard(intent, 100)
    follow()
    assert Payment.objects.get().amount_base == DUE - 1_200


# --- Refunds ---


def approved(option, *, amount=None):
    now = timezone.now()
    payout = draft_payout(option.invoice_id, kind="refund", network="CARD", amount_base=amount, actor="anna", reason="returned", at=now)
    return approve_payout(payout.pk, actor="anna", at=now)


@pytest.mark.parametrize("trouble", [[], [500], [0, 500], [0, 0, 500], [0, 0, -500]])
def test_a_refund_is_made_once_after_any_answer_of_stripe(stripe, option, trouble):
    intent = paid(stripe, option)
    payout = approved(option, amount=4_000)
    stripe.troubles = list(trouble)
    at = timezone.now() + timedelta(seconds=1)
    for minutes in (0, 5, 10):
        send(payout.pk, at=at + timedelta(minutes=minutes))
    payout.refresh_from_db()
    (made,) = stripe.refunds.values()
    assert (payout.status, payout.reference, payout.destination) == ("sent", made["id"], intent)
    assert (made["amount"], made["metadata"]) == (4_000, {"payout": str(payout.pk)})
    follow()
    assert Payment.objects.get().amount_base == DUE  # it is in the books as a payout
    assert invoice_of(option).status == "settled"


def test_a_refund_is_found_again_after_stripe_has_forgotten_its_key(stripe, option):
    paid(stripe, option)
    payout = approved(option)
    stripe.troubles = [0, 0, -500]
    at = timezone.now() + timedelta(seconds=1)
    send(payout.pk, at=at)
    stripe.kept.clear()
    send(payout.pk, at=at + timedelta(days=2))
    assert len(stripe.refunds) == 1
    assert Payout.objects.get().status == "sent"


def test_a_refund_that_stripe_refuses_has_failed(stripe, option):
    paid(stripe, option)
    payout = approved(option)
    stripe.troubles = [0, 0, 400]
    send(payout.pk, at=timezone.now() + timedelta(seconds=1))
    payout.refresh_from_db()
    assert (payout.status, payout.error) == ("failed", "Stripe refuses: trouble")
    assert not stripe.refunds


def test_a_refund_of_money_that_stripe_returned_in_the_meantime_waits_and_then_stops(stripe, option):
    intent = paid(stripe, option)
    payout = approved(option, amount=4_000)
    stripe.refund_in_dashboard(intent, 7_000)
    send(payout.pk, at=timezone.now() + timedelta(seconds=1))
    payout.refresh_from_db()
    assert payout.status == "approved"
    assert "30.00 USD are left" in payout.error
    follow()
    send(payout.pk, at=timezone.now() + timedelta(minutes=1))
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("approved", "cover")
    assert len(stripe.refunds) == 1


@pytest.mark.parametrize("became_of_it", ["missing", "withdrawn"])
def test_a_refund_that_a_restored_backup_does_not_have_is_not_made_again(stripe, option, became_of_it):
    paid(stripe, option)
    lost = approved(option, amount=4_000)
    send(lost.pk, at=timezone.now() + timedelta(seconds=1))
    if became_of_it == "missing":
        lost.delete()
    else:
        Payout.objects.update(status="withdrawn", reference=None)
    payout = approved(option, amount=7_000)
    send(payout.pk, at=timezone.now() + timedelta(seconds=1))
    follow()
    send(payout.pk, at=timezone.now() + timedelta(minutes=1))
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("approved", "cover")
    assert [refund["amount"] for refund in stripe.refunds.values()] == [4_000]
    assert Payment.objects.get().amount_base == DUE - 4_000


def test_an_order_paid_with_two_cards_is_refunded_one_payment_at_a_time(stripe, option, admin_client):
    stripe.pay(option.destination, amount=4_000)
    second = CardNetwork().open_destination(request_for(timezone.now(), amount=6_000))
    OptionFactory.create(network="CARD", destination=second.text, due_base=6_000, minor_per_coin=100, invoice=option.invoice)
    stripe.pay(second.text)
    follow()
    assert invoice_of(option).status == "settled"
    form = admin_client.get(reverse("admin:payments_payout_draft", args=[option.invoice_id, "refund"])).context["form"]
    assert form["amount"].initial == "60.00"
    drafts = [draft_payout(option.invoice_id, kind="refund", network="CARD", actor="anna", at=timezone.now()) for _ in range(2)]
    assert [payout.amount_base for payout in drafts] == [6_000, 4_000]


def test_a_refund_whose_payment_was_disputed_stops(stripe, option):
    intent = paid(stripe, option)
    payout = approved(option)
    stripe.dispute(intent, DUE)
    follow()
    send(payout.pk, at=timezone.now() + timedelta(seconds=1))
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("approved", "cover")
    assert not stripe.refunds


@pytest.mark.django_db(transaction=True)  # a refused step undoes its transaction
def test_a_refund_goes_to_the_card_that_paid_and_nowhere_else(stripe, option):
    paid(stripe, option)
    now = timezone.now()
    with pytest.raises(PayoutRefused, match="at most"):
        draft_payout(option.invoice_id, kind="refund", network="CARD", destination="pi_of_another", actor="anna", at=now)
    payout = draft_payout(option.invoice_id, kind="refund", network="CARD", actor="anna", at=now)
    with pytest.raises(PayoutRefused, match="the card that paid"):
        set_destination(payout.pk, "pi_of_another", actor="anna", at=now)
    approve_payout(payout.pk, actor="anna", at=now)
    with pytest.raises(PayoutRefused, match="by Stripe"):
        record_sent_by_hand(payout.pk, "re_1", actor="anna", reason="sent", at=now)


def test_staff_are_told_of_a_refund_that_fails_after_it_was_sent_and_not_of_those_of_other_shops(stripe, option):
    intent = paid(stripe, option)
    refund = stripe.refund_in_dashboard(intent, 2_500)
    refund["status"] = "failed"
    stripe.tell("refund.failed", refund)
    others = CardNetwork().open_destination(request_for(timezone.now(), label="order_ELSEWHERE"))
    stripe.sessions[others.text]["metadata"] = {"shop": "https://another.example"}
    stripe.dispute(stripe.pay(others.text), DUE)
    follow()
    assert "$25.00" in Alert.objects.get().text
    assert Payment.objects.get().amount_base == DUE


# --- The books ---


def test_payments_and_refunds_are_reconciled_with_stripe(stripe, option, now):
    paid(stripe, option)
    payout = approved(option, amount=4_000)
    send(payout.pk, at=timezone.now() + timedelta(seconds=1))
    later = now + timedelta(hours=2)
    period = Period(now - timedelta(hours=1), later)
    assert reconcile(period, at=later, network="CARD").alarms == []
    assert reconcile_payouts(period, network="CARD").alarms == []

    missed = CardNetwork().open_destination(request_for(now, label="order_MISSED"))
    stripe.pay(missed.text)
    stripe.refunds.clear()
    assert [difference.kind.name for difference in reconcile(period, at=later, network="CARD").alarms] == ["LOST_ORDER"]
    (difference,) = reconcile_payouts(period, network="CARD").alarms
    assert difference.kind.name == "PAYOUT"
    assert difference.text.startswith("40.00 USD by card was sent for ")


# --- Health ---


def test_a_look_at_stripes_health_that_fails_keeps_no_buyer_from_paying(stripe, now, monkeypatch):
    monkeypatch.setattr(network, "HEALTH", timedelta(0))
    assert CardNetwork().health().problem
    assert CardNetwork().open_destination(request_for(now)).payment_request
