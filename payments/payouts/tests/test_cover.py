"""A payout's money is looked at again at each step, and one whose money is gone stops until a person decides about it."""

import pytest

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.errors import NotCovered, PayoutMoved, PayoutRefused
from payments.invoices.settlement import settle
from payments.models import Invoice, Payment, Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.bitcoin.payouts import Draft
from payments.payouts.sending import accept_signed, send
from payments.payouts.tests.payout_steps import approved, draft, paid
from payments.payouts.workflow import approve_payout, move_payout, record_sent_by_hand, try_again, withdraw_payout
from payments.sync.facts import mark_dirty
from payments.tests.factories import DUE, EXPIRY, NOW, CursorFactory, PaymentFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Nothing is sent until the test sends it."""
    monkeypatch.setattr("payments.tasks.enqueue", lambda *_, **__: None)


@pytest.fixture
def overpaid(settings):
    """A settled invoice that was paid twice; its second payment is the excess."""
    settings.STAFF_EMAIL = ["grace@example.com"]
    CursorFactory()
    invoice = paid()
    PaymentFactory(option=invoice.options.get(), status="settled", height=1, reference="over:0")
    settle(invoice.pk, at=NOW)
    return Invoice.objects.get()


@pytest.fixture
def bitcoin(settings):
    settings.SANDBOX, settings.BITCOIN_RPC_HOST, settings.BITCOIN_NETWORK = False, "127.0.0.1", "mainnet"


def lose(invoice, reference="over:0", **facts):
    values = {"is_present": False, "is_conflicted": True, **facts}
    Payment.objects.filter(reference=reference).update(**values)
    mark_dirty([invoice.pk])
    settle(invoice.pk, at=EXPIRY)


def found_again(invoice):
    lose(invoice, is_present=True, is_conflicted=False)


def excess_of(invoice, **more):
    return draft(invoice, kind="excess", destination="bcrt1qback", **more)


def swept(payout):
    """As the sweep leaves it."""
    payout.refresh_from_db()
    if payout.next_try_at is not None:
        send(payout.pk, at=payout.next_try_at)
        payout.refresh_from_db()
    return payout


# --- Each step ----------------------------------------------------------------------------------------------------------------


def test_an_excess_that_is_gone_is_not_approved_although_the_price_is_there(overpaid):
    payout = excess_of(overpaid)
    lose(overpaid)
    with pytest.raises(NotCovered, match=r"no longer there: of 0\.00200000 BTC, only 0\.00000000 can be refunded now"):
        approve_payout(payout.pk, actor="grace", at=NOW)


def test_an_excess_that_is_gone_is_not_sent_after_it_was_approved(overpaid):
    payout = approved(overpaid, kind="excess")
    lose(overpaid)
    assert swept(payout).status == "approved"
    assert (payout.blocked_by, payout.next_try_at) == ("cover", None)
    assert "no longer there" in payout.error


def test_an_excess_that_vanishes_while_its_transaction_is_made_is_not_sent(overpaid, bitcoin, monkeypatch):
    released, payout = [], approved(overpaid, kind="excess")

    def make(*_):
        lose(overpaid)
        return Draft("cHNidP8=", "0200", "f" * 64, 100)

    monkeypatch.setattr(chain_payouts, "draft", make)
    monkeypatch.setattr(chain_payouts, "release", lambda coin, psbt: released.append(psbt))
    monkeypatch.setattr(chain_payouts, "broadcast", lambda *_: pytest.fail("It was sent."))

    assert (swept(payout).status, payout.blocked_by, payout.psbt, released) == ("approved", "cover", "", ["cHNidP8="])


def test_a_signature_for_money_that_is_gone_is_refused(overpaid, bitcoin, monkeypatch):
    payout = approved(overpaid, kind="excess")
    Payout.objects.update(psbt="cHNidP8=", next_try_at=None)
    monkeypatch.setattr(chain_payouts, "signed_by_staff", lambda *_: Draft("cHNidP8=", "0200", "f" * 64, 100))
    lose(overpaid)
    with pytest.raises(NotCovered):
        accept_signed(payout.pk, "cHNidP8=", actor="grace", at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.psbt, payout.reference) == ("approved", "cHNidP8=", None)


def test_a_refund_whose_payment_was_double_spent_is_neither_signed_nor_sent(overpaid, bitcoin, monkeypatch):
    """As when an order was cancelled after it was paid, and the payment is taken back while the refund waits for its signature."""
    Payment.objects.filter(reference="over:0").delete()
    payout = approved(overpaid, amount_base=DUE)
    Payout.objects.update(psbt="cHNidP8=", next_try_at=None)
    monkeypatch.setattr(chain_payouts, "signed_by_staff", lambda *_: Draft("cHNidP8=", "0200", "f" * 64, 100))
    lose(overpaid, Payment.objects.get().reference)
    assert "double_spent" in Invoice.objects.get().flags
    with pytest.raises(NotCovered, match="no longer there"):
        accept_signed(payout.pk, "cHNidP8=", actor="grace", at=NOW)
    assert (swept(payout).status, payout.blocked_by) == ("approved", "cover")


def test_no_step_is_taken_while_facts_about_the_invoice_wait_to_be_evaluated(overpaid):
    payout = excess_of(overpaid)
    mark_dirty([overpaid.pk])
    with pytest.raises(PayoutMoved):
        approve_payout(payout.pk, actor="grace", at=NOW)
    with pytest.raises(PayoutMoved):
        draft(overpaid, amount_base=1_000)
    settle(overpaid.pk, at=NOW)
    assert approve_payout(payout.pk, actor="grace", at=NOW).status == "approved"


def test_a_refund_waits_while_a_reorg_makes_its_invoice_payable_again(overpaid):
    payout = draft(overpaid, destination="bcrt1qback", amount_base=DUE)
    Payment.objects.exclude(reference="over:0").update(reference="first:0")
    lose(overpaid, "over:0", is_present=True, is_conflicted=False, height=None)
    lose(overpaid, "first:0", is_present=True, is_conflicted=False, height=None)
    assert Invoice.objects.get().status == "processing"
    with pytest.raises(NotCovered, match="can be paid again"):
        approve_payout(payout.pk, actor="grace", at=NOW)


def test_a_payout_of_late_money_stops_when_that_money_pays_the_order_after_all(overpaid):
    """Drafted after the invoice had settled, lost its payment and expired: the draft does not count against the price."""
    Invoice.objects.update(status="expired")
    payout = draft(overpaid, kind="late", destination="bcrt1qback", amount_base=DUE * 2)
    Invoice.objects.update(status="settled")
    with pytest.raises(NotCovered, match=r"only 0\.00200000 can be refunded"):
        approve_payout(payout.pk, actor="grace", at=NOW)


def test_what_a_node_was_given_goes_on_when_its_money_vanishes(overpaid):
    payout = approved(overpaid, kind="excess")
    move_payout(payout, "sending", at=NOW, psbt="0200")
    lose(overpaid)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("sending", "")


def test_late_money_cannot_be_drafted_once_the_invoice_has_settled(overpaid):
    with pytest.raises(PayoutRefused, match="no longer late"):
        draft(overpaid, kind="late")


# --- What a stopped payout waits for --------------------------------------------------------------------------------------------


def test_a_stopped_payout_is_told_once_in_the_log_and_by_mail(overpaid):
    payout = excess_of(overpaid)
    lose(overpaid)
    swept(payout)
    Payout.objects.update(next_try_at=NOW)
    swept(payout)

    event = Event.objects.get(subject_id=payout.pk, type="payout.stopped")
    mail = Mail.objects.get(key__startswith=f"payout:{payout.pk}:cover")
    assert "no longer there" in event.data["error"]
    assert "no longer there" in mail.text
    assert f"/admin/payments/payout/{payout.pk}/change/" in mail.text


def test_a_stopped_draft_can_be_approved_once_its_money_is_there_again(overpaid):
    payout = excess_of(overpaid)
    lose(overpaid)
    assert swept(payout).blocked_by == "cover"
    found_again(overpaid)
    assert (swept(payout).blocked_by, payout.error, payout.next_try_at) == ("", "", None)
    assert approve_payout(payout.pk, actor="grace", at=NOW).status == "approved"


def test_a_stopped_approved_payout_is_sent_only_after_a_person_lets_it(overpaid):
    payout = approved(overpaid, kind="excess")
    lose(overpaid)
    swept(payout)
    found_again(overpaid)
    assert (swept(payout).status, payout.blocked_by) == ("approved", "cover")

    try_again(payout.pk, actor="ada", at=NOW)

    assert (swept(payout).status, payout.blocked_by, payout.error) == ("sent", "", "")


def test_withdrawing_one_payout_gives_another_its_cover_again(overpaid):
    over = excess_of(overpaid)
    refund = draft(overpaid, destination="bcrt1qback", amount_base=DUE)
    lose(overpaid)
    assert [swept(each).blocked_by for each in (refund, over)] == ["cover", "cover"]

    withdraw_payout(over.pk, actor="grace", reason="its money is gone", at=NOW)

    assert swept(refund).blocked_by == ""


def test_a_payout_that_staff_sent_from_another_wallet_is_recorded_although_its_money_is_gone(overpaid):
    payout = approved(overpaid, kind="excess")
    lose(overpaid)
    swept(payout)
    assert record_sent_by_hand(payout.pk, "f" * 64, actor="ada", reason="from the safe", at=NOW).status == "sent"
