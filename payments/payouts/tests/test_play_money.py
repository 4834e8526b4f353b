"""Play money of the sandbox buys nothing and is never refunded, once the shop takes real money."""

import pytest
from django.core.management import call_command

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.errors import IllegalOverride, PayoutRefused, QuoteRefused
from payments.invoices.manual_review import mark_paid
from payments.invoices.refundable import refundable, staffs_kinds
from payments.invoices.requoting import preview_quote
from payments.models import Alert, Invoice, Payment, Payout
from payments.payouts.play_money import close_sandbox
from payments.payouts.refund_links import refund_path
from payments.payouts.sending import send
from payments.payouts.workflow import approve_payout, draft_payout
from payments.tasks import sweep_invoices
from payments.tests.factories import DUE, NOW, CursorFactory, OptionFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db(transaction=True)

SETTLED = {"status": "settled", "settled_at": NOW, "is_sandbox": True}


@pytest.fixture
def overpaid():
    """Twice its price was paid in the sandbox, and it has settled."""
    CursorFactory()
    option = OptionFactory(**{f"invoice__{name}": value for name, value in SETTLED.items()}, invoice__flags={"overpaid"})
    PaymentFactory(option=option, amount_base=2 * DUE, status="settled", height=900, is_final=True)
    return Invoice.objects.get()


@pytest.fixture
def real(settings):
    """A node is configured now."""

    def take_real_money():
        settings.BITCOIN_RPC_HOST = "127.0.0.1"

    return take_real_money


def test_play_money_is_refunded_in_the_sandbox_and_nowhere_else(overpaid, real):
    assert staffs_kinds(overpaid) == ["excess", "refund"]
    real()
    assert staffs_kinds(overpaid) == []


@pytest.mark.parametrize("kind", ["excess", "refund"])
def test_no_payout_of_play_money_is_drafted(overpaid, real, kind):
    real()
    with pytest.raises(PayoutRefused):
        draft_payout(overpaid.pk, kind=kind, network="BTC", actor="grace", at=NOW)


def test_no_payout_of_play_money_is_approved(overpaid, real):
    payout = PayoutFactory(invoice=overpaid)
    real()
    with pytest.raises(PayoutRefused):
        approve_payout(payout.pk, actor="ada", at=NOW)


@pytest.mark.parametrize("status", ["approved", "sending", "unknown"])
def test_no_payout_of_play_money_is_sent(overpaid, real, monkeypatch, status):
    payout = PayoutFactory(invoice=overpaid, status=status, approved_at=NOW, next_try_at=NOW)
    real()
    monkeypatch.setattr("payments.payouts.sending._sender_for", lambda payout: pytest.fail("it was sent"))

    send(payout.pk, at=NOW)

    assert Payout.objects.get().status == status


def test_the_mailed_refund_link_offers_no_play_money(overpaid, real, client):
    assert 'name="destination"' in client.get(refund_path(overpaid.pk), follow=True).text
    real()
    assert 'name="destination"' not in client.get(refund_path(overpaid.pk), follow=True).text
    client.post(refund_path(overpaid.pk), {"network": "BTC", "destination": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"})
    assert not Payout.objects.exists()


def test_staff_cannot_accept_play_money_and_buyers_get_no_quote_for_it(overpaid, real):
    Invoice.objects.update(status="expired")
    real()
    with pytest.raises(IllegalOverride):
        mark_paid(overpaid.pk, version=overpaid.version, actor="grace", reason="so be it", at=NOW)
    with pytest.raises(QuoteRefused):
        preview_quote(overpaid.pk, at=NOW)


def test_nothing_is_closed_while_the_sandbox_is_on(overpaid):
    assert close_sandbox(at=NOW) == 0
    assert Invoice.objects.get().status == "settled"


def test_the_first_start_with_a_node_closes_all_invoices_of_the_sandbox_and_says_so(overpaid, real, capsys, settings):
    settings.STAFF_EMAIL = ["staff@example.com"]
    OptionFactory(invoice__is_sandbox=True)
    OptionFactory(invoice__is_sandbox=True, invoice__status="cancelled", invoice__override="cancelled")
    kept = OptionFactory()
    PayoutFactory(invoice=overpaid, status="sent", reference="a" * 64, sent_at=NOW)
    real()

    call_command("close_sandbox")
    call_command("close_sandbox")

    assert "3 invoices of the sandbox were closed" in capsys.readouterr().out
    closed = Invoice.objects.filter(is_sandbox=True)
    assert sorted(closed.values_list("status", flat=True)) == ["cancelled", "invalid", "invalid"]
    assert not closed.filter(needs_decision=True).exists()
    assert (Payment.objects.get().status, refundable(overpaid.pk), Payout.objects.get().status) == ("gone", {}, "withdrawn")
    assert Invoice.objects.get(pk=kept.invoice_id).status == "new"
    assert "3 invoices were closed" in Alert.objects.get().text
    assert Mail.objects.filter(to="staff@example.com").count() == 1
    event = Event.objects.filter(subject_id=overpaid.pk).latest("seq")
    assert (event.type, event.actor) == ("invoice.invalid", "sandbox")


@pytest.mark.parametrize("status", ["draft", "approved", "sending"])
def test_a_payout_of_play_money_is_withdrawn_at_any_step(overpaid, real, status):
    PayoutFactory(invoice=overpaid, status=status, approved_at=NOW, next_try_at=NOW)
    real()
    assert close_sandbox(at=NOW) == 1
    assert Payout.objects.get().status == "withdrawn"


def test_a_worker_that_starts_with_a_node_closes_them_too(overpaid, real, monkeypatch):
    real()
    monkeypatch.setattr("payments.tasks.poll", lambda network, at: set())
    sweep_invoices()
    assert Invoice.objects.get().status == "invalid"
