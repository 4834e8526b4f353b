"""Staff refund a card payment in the admin: no address is asked for, and nothing is offered that only coins have."""

import re

import pytest
from django.utils import timezone

from payments.admin.tests.payout_pages import act_path, draft_path, page_of, press
from payments.invoices.settlement import settle
from payments.models import Payout
from payments.networks.stripe.tests.conftest import now, option, stripe  # noqa: F401
from payments.payouts.sending import send
from payments.sync.follower import poll

pytestmark = pytest.mark.django_db(transaction=True)


def test_staff_draft_and_approve_a_refund_to_the_card(grace, stripe, option):
    intent = stripe.pay(option.destination)
    for invoice_id in poll("CARD", at=timezone.now()):
        settle(invoice_id, at=timezone.now())
    assert "Card" in grace.get("/admin/payments/cursor/nodes/").text

    path = draft_path(option.invoice)
    form = grace.get(path).context["form"]
    shown = {field.name: field.value() for field in form if field.value() is not None}
    answer = grace.post(path, {**shown, "amount": "40", "unit": "coins", "reason": "returned"}, follow=True)
    assert "The payout is drafted.\n" in re.sub(r"<[^>]+>", "\n", answer.text)

    payout = Payout.objects.get()
    assert (payout.network, payout.amount_base, payout.destination) == ("CARD", 4_000, intent)
    page = grace.get(page_of(payout)).text
    assert act_path(payout, "approve") in page
    assert not re.search("/act/(destination|hand|fee|sign)/", page)
    assert "Stripe takes nothing for a refund" in grace.get(act_path(payout, "approve")).text
    assert "You approved this payout." in press(grace, payout, "approve").text
    assert not re.search("/act/(destination|hand|fee|sign)/", grace.get(page_of(payout)).text)
    send(payout.pk, at=timezone.now())
    assert [refund["amount"] for refund in stripe.refunds.values()] == [4_000]
