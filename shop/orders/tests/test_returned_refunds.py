"""A card refuses a refund that Stripe has sent: the money is the merchant's again, and the buyer still waits for it."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from payments.accounting.payouts import reconcile_payouts
from payments.accounting.periods import Period
from payments.models import Payment, Payout
from payments.networks.stripe.tests.conftest import now, option, stripe  # noqa: F401
from payments.networks.stripe.tests.test_card_payments import approved, follow, paid
from payments.payouts.sending import send
from payments.payouts.workflow import draft_payout, record_sent_by_hand
from shop.tests.factories import OrderFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order(option):
    return OrderFactory.create(pk=option.invoice.subject_id, number="7K3M9-2QFXA", network="CARD", total_minor=10_000)


@pytest.fixture
def returned(stripe, option, order):
    """Sent, and then refused by the card."""
    paid(stripe, option)
    payout = approved(option)
    send(payout.pk, at=timezone.now() + timedelta(seconds=1))
    order.refresh_from_db()
    assert order.payment_status == "refunded"
    (refund_id,) = stripe.refunds
    stripe.fail_refund(refund_id)
    follow()
    send(payout.pk, at=timezone.now() + timedelta(seconds=2))
    payout.refresh_from_db()
    return payout


def test_a_refund_that_the_card_refuses_after_it_was_sent_has_failed(returned, order):
    assert (returned.status, returned.reference, returned.sent_at, returned.next_try_at) == ("failed", None, None, None)
    assert "expired_or_canceled_card" in returned.error
    order.refresh_from_db()
    assert (order.payment_status, order.on_hold) == ("paid", True)
    assert Payment.objects.get().amount_base == returned.amount_base


def test_staff_refund_it_again_and_a_new_refund_is_made(stripe, option, returned, order):
    again = approved(option)
    send(again.pk, at=timezone.now() + timedelta(seconds=3))
    assert Payout.objects.get(pk=again.pk).status == "sent"
    assert [refund["status"] for refund in stripe.refunds.values()] == ["failed", "succeeded"]
    order.refresh_from_db()
    assert order.payment_status == "refunded"


def test_staff_record_that_they_sent_it_in_another_way_and_the_books_are_right(stripe, returned, order, admin_client):
    page = reverse("admin:payments_payout_act", args=[returned.pk, "hand"])
    assert page in admin_client.get(reverse("admin:payments_payout_change", args=[returned.pk])).content.decode()
    now = timezone.now()
    record_sent_by_hand(returned.pk, "SEPA 4711", actor="anna", reason="card closed", at=now)
    send(returned.pk, at=now + timedelta(hours=1))
    returned.refresh_from_db()
    order.refresh_from_db()
    assert (returned.status, returned.reference, order.payment_status) == ("sent", "SEPA 4711", "refunded")
    assert reconcile_payouts(Period(now - timedelta(hours=1), now + timedelta(hours=1)), network="CARD").alarms == []


def test_what_an_event_says_of_a_refund_is_believed_only_when_stripe_says_the_same(stripe, option):
    paid(stripe, option)
    payout = approved(option, amount=4_000)
    send(payout.pk, at=timezone.now() + timedelta(seconds=1))
    (refund,) = stripe.refunds.values()
    stripe.tell("charge.refund.updated", {**refund, "status": "failed"})
    follow()
    send(payout.pk, at=timezone.now() + timedelta(seconds=2))
    payout.refresh_from_db()
    assert (payout.status, payout.next_try_at) == ("sent", None)


def test_the_money_of_a_returned_refund_is_promised_once(returned, option):
    draft = draft_payout(option.invoice_id, kind="refund", network="CARD", actor="anna", at=timezone.now())
    assert draft.amount_base == returned.amount_base
