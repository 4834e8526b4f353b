"""The shop has what Stripe has after any payments, disputes and refunds, with events in any order, doubled or lost."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given, seed
from hypothesis import strategies as st

from payments.invoices.settlement import settle
from payments.models import Invoice, Option, Payment
from payments.networks.stripe.network import CardNetwork
from payments.networks.stripe.tests.conftest import DUE, request_for
from payments.sync.follower import poll, refresh_invoice
from payments.sync.option_sweep import check_open_options
from payments.tests.factories import OptionFactory
from tests.sequences import settings_for

pytestmark = pytest.mark.django_db

IN_THE_WORLD = ["pay", "pay less", "dispute", "win", "lose", "refund"]
IN_THE_SHOP = ["lose events", "double events", "swap events", "follow", "sweep"]
ACTS = st.sampled_from(IN_THE_WORLD + IN_THE_SHOP)


def settle_all(invoice_ids):
    for invoice_id in invoice_ids:
        settle(invoice_id, at=timezone.now())


def act_on(stripe, option, act):
    session = stripe.sessions[option.destination]
    intent = session["payment_intent"]
    disputes = [name for name, row in stripe.disputes.items() if row["payment_intent"] == intent]
    unrefunded = intent and not any(row["payment_intent"] == intent for row in stripe.refunds.values())
    if act.startswith("pay") and session["status"] == "open":
        stripe.pay(option.destination, amount=DUE if act == "pay" else DUE // 2)
    elif act == "dispute" and intent and not disputes:
        stripe.dispute(intent, DUE // 2)
    elif act in ("win", "lose") and disputes:
        stripe.close_dispute(disputes[0], "won" if act == "win" else "lost")
    elif act == "refund" and unrefunded:
        stripe.refund_in_dashboard(intent, DUE // 4)
    elif act == "lose events":
        del stripe.events[-2:]
    elif act == "double events":
        stripe.events += stripe.events[-2:]
    elif act == "swap events":
        stripe.events[-2:] = stripe.events[-2:][::-1]
    elif act == "follow":
        settle_all(poll("CARD", at=timezone.now()))
    elif act == "sweep":
        settle_all(check_open_options("CARD", at=timezone.now()))


def left_at(stripe, option):
    intent = stripe.sessions[option.destination]["payment_intent"]
    if intent is None:
        return 0
    taken = [row["amount"] for row in stripe.disputes.values() if row["payment_intent"] == intent and row["status"] != "won"]
    refunded = [row["amount"] for row in stripe.refunds.values() if row["payment_intent"] == intent]
    return max(0, stripe.intents[intent]["latest_charge"]["amount_captured"] - sum(taken) - sum(refunded))


@seed(1)
@settings_for(15)
@given(acts=st.lists(ACTS, min_size=1, max_size=12))
def test_the_shop_has_what_stripe_has(stripe, acts):
    now = timezone.now()
    opened = CardNetwork().open_destination(request_for(now, label=f"order_{len(stripe.sessions)}"))
    option = OptionFactory(
        network="CARD",
        destination=opened.text,
        due_base=DUE,
        minor_per_coin=100,
        created_at=now,
        invoice__created_at=now,
        invoice__expires_at=now + timedelta(minutes=15),
        invoice__monitor_until=now + timedelta(days=30),
    )
    for act in acts:
        act_on(stripe, option, act)
    settle_all(check_open_options("CARD", at=now))
    refresh_invoice(option.invoice_id, at=timezone.now())

    left = left_at(stripe, option)
    invoice, payments = Invoice.objects.get(pk=option.invoice_id), Payment.objects.filter(option=option, is_present=True)
    assert sum(payment.amount_base for payment in payments) == left
    assert invoice.paid_safe_minor == left
    assert (invoice.status == "settled") == (left >= DUE - 50)
    assert Payment.objects.filter(option=option).count() <= 1
    assert Option.objects.filter(pk=option.pk, is_closed=True).exists() == (stripe.sessions[option.destination]["status"] != "open")
