"""What was approved is sent once in effect, even if workers or nodes fail. Real nodes play the rest in tests/stack/test_payouts.py."""

from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread
from types import SimpleNamespace

import pytest
from django.db import connection

from cryptons.events.models import Event
from payments.errors import NodeRejected, NodeUnavailable, PayoutRefused
from payments.models import Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.bitcoin.payouts import Draft, OutOfFunds
from payments.networks.lightning import payouts as lightning_payouts
from payments.networks.lightning.payouts import Outcome
from payments.networks.lightning.tests.test_bolt11 import DONATION, HASH
from payments.payouts import sending
from payments.payouts.destinations import check_request
from payments.payouts.fees import fee_limit
from payments.payouts.sending import HOLD, WAITS, accept_signed, send
from payments.payouts.tests.payout_steps import covered_payout
from payments.payouts.workflow import try_again, withdraw_payout
from payments.tests.factories import DUE, NOW, PayoutFactory

pytestmark = pytest.mark.django_db(transaction=True)


def due(**more):
    return covered_payout(**{"approved_by": "grace", **more})


def events(payout):
    return list(Event.objects.filter(subject_id=payout.pk).order_by("seq").values_list("type", flat=True))


@pytest.fixture
def real(settings):
    """No sandbox: a node is configured, though what the payer asks it is played here."""
    settings.SANDBOX = False
    settings.LND_PAYOUT_MACAROON = "ab"
    settings.BITCOIN_NETWORK = "mainnet"


@pytest.fixture
def bitcoin(real, settings):
    settings.BITCOIN_RPC_HOST = "127.0.0.1"


@pytest.fixture
def lnd(real, monkeypatch):
    """Says what it is told to; keeps what it was asked."""

    lnd = SimpleNamespace(paid=[], pays=[], tracks=[])

    def pay(request, **limits):
        lnd.paid.append((request, limits))
        return lnd.pays.pop(0)

    monkeypatch.setattr(lightning_payouts, "pay", pay)
    monkeypatch.setattr(lightning_payouts, "track", lambda payment_hash: lnd.tracks.pop(0))
    monkeypatch.setattr(lightning_payouts, "decode", lambda request: None)
    monkeypatch.setattr(sending, "_attempt_before", lambda payment_hash: 0)
    return lnd


@pytest.fixture
def long_good(monkeypatch):
    """The request of BOLT 11 ended years ago."""
    monkeypatch.setattr(sending, "check_request", lambda text, amount, at: check_request(text, amount, at=None))


# --- Once ---------------------------------------------------------------------------------------------------------------------


def test_a_sandbox_payout_is_sent_only_once():
    payout = due()
    send(payout.pk, at=NOW)
    send(payout.pk, at=NOW + timedelta(hours=1))
    payout.refresh_from_db()
    assert (payout.status, payout.next_try_at, payout.attempts, payout.fee_base) == ("sent", None, 1, 0)
    assert events(payout) == ["payout.sent"]


def test_a_payout_that_is_not_due_is_not_sent():
    payout = due(next_try_at=NOW + timedelta(seconds=1))
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.attempts) == ("approved", 0)


@pytest.mark.parametrize("status", ["draft", "withdrawn", "failed", "sent"])
def test_a_payout_that_is_not_approved_is_not_sent_even_when_it_is_due(status):
    """This happens when it is withdrawn while a worker reads it."""
    payout = due(status=status)
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.version) == (status, 1)


def test_a_payout_that_is_withdrawn_while_it_is_drafted_at_the_node_is_not_sent(bitcoin, monkeypatch):
    payout = due()

    def draft(*_):
        withdraw_payout(payout.pk, actor="ada", reason="a slip", at=NOW)
        return Draft("cHNidP8=", "00", "f" * 64, 100)

    told, released = [], []
    monkeypatch.setattr(chain_payouts, "draft", draft)
    monkeypatch.setattr(chain_payouts, "release", lambda coin, psbt: released.append(psbt))
    monkeypatch.setattr(chain_payouts, "broadcast", lambda *args: told.append(args))

    send(payout.pk, at=NOW)

    payout.refresh_from_db()
    assert (payout.status, payout.reference, told, released) == ("withdrawn", None, [], ["cHNidP8="])


def test_only_one_of_two_workers_sends_a_payout(bitcoin, monkeypatch):
    payout, drafts, start = due(), [], Barrier(2)

    def draft(*_):
        drafts.append(1)
        raise NodeUnavailable("away")

    monkeypatch.setattr(chain_payouts, "draft", draft)

    def work():
        try:
            start.wait()
            send(payout.pk, at=NOW)
        finally:
            connection.close()

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(drafts) == 1


# --- Waiting ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [NodeRejected, NodeUnavailable])
def test_a_payout_that_the_node_refuses_stays_approved_with_the_error(bitcoin, monkeypatch, error):
    def draft(*_):
        raise error("The wallet for payouts cannot pay this: Insufficient funds")

    monkeypatch.setattr(chain_payouts, "draft", draft)
    payout = due()

    send(payout.pk, at=NOW)

    payout.refresh_from_db()
    assert (payout.status, payout.reference, payout.version) == ("approved", None, 1)
    assert "Insufficient funds" in payout.error


def test_the_time_between_tries_grows(bitcoin, monkeypatch):
    def draft(*_):
        raise NodeUnavailable("away")

    monkeypatch.setattr(chain_payouts, "draft", draft)
    payout, at, waited = due(), NOW, []
    for _ in range(len(WAITS) + 1):
        send(payout.pk, at=at)
        payout.refresh_from_db()
        waited.append(payout.next_try_at - at)
        at = payout.next_try_at
    assert waited == [*WAITS, WAITS[-1]]


def test_a_payout_in_a_coin_without_a_sender_waits_to_be_sent_manually(real):
    payout = due(network="XRP")
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert payout.status == "approved"
    assert "sent manually" in payout.error


@pytest.mark.parametrize("status", ["draft", "sent", "failed", "withdrawn"])
def test_a_payout_that_is_over_or_only_a_draft_cannot_be_tried_again(status):
    payout = PayoutFactory(status=status)
    with pytest.raises(PayoutRefused):
        try_again(payout.pk, actor="grace", at=NOW)


def test_trying_a_payout_again_is_recorded_with_the_actor(bitcoin, monkeypatch):
    monkeypatch.setattr("payments.tasks.enqueue", lambda *_, **__: None)
    payout = due(status="unknown", next_try_at=NOW + timedelta(hours=1), error="does not take it now")
    try_again(payout.pk, actor="ada", at=NOW)
    payout.refresh_from_db()
    event = Event.objects.get(subject_id=payout.pk)
    assert (payout.status, payout.next_try_at) == ("unknown", NOW)
    assert (event.type, event.actor, event.seq) == ("payout.try_again", "ada", payout.version)


def test_a_transaction_made_before_a_manual_retry_is_released_and_not_sent_too(bitcoin, monkeypatch):
    monkeypatch.setattr("payments.tasks.enqueue", lambda *_, **__: None)
    payout, made, released, told = due(), [], [], []

    def draft(*_):
        made.append(f"{len(made):064x}")
        if len(made) == 1:
            try_again(payout.pk, actor="ada", at=NOW)
        return Draft(f"psbt {len(made)}", "0200", made[-1], 100)

    monkeypatch.setattr(chain_payouts, "draft", draft)
    monkeypatch.setattr(chain_payouts, "release", lambda coin, psbt: released.append(psbt))
    monkeypatch.setattr(chain_payouts, "broadcast", lambda coin, raw, txid: told.append(txid) or chain_payouts.Outcome("sent"))

    send(payout.pk, at=NOW)
    send(payout.pk, at=NOW)

    payout.refresh_from_db()
    assert (payout.status, released, told) == ("sent", ["psbt 1"], [made[1]])


# --- Chains -------------------------------------------------------------------------------------------------------------------


def test_a_watch_only_wallet_leaves_a_transaction_to_sign(bitcoin, monkeypatch):
    made = []
    monkeypatch.setattr(chain_payouts, "draft", lambda *_: made.append(1) or Draft("cHNidP8=", "", "f" * 64, 321))
    payout = due()

    send(payout.pk, at=NOW)
    try_again(payout.pk, actor="grace", at=NOW)
    send(payout.pk, at=NOW)

    payout.refresh_from_db()
    assert (payout.status, payout.psbt, payout.fee_base, payout.next_try_at) == ("approved", "cHNidP8=", 321, None)
    assert made == [1]


def test_a_transaction_is_stored_before_it_is_broadcast(bitcoin, monkeypatch):
    payout, stored = due(), []

    def broadcast(coin, raw, txid):
        row = Payout.objects.get(pk=payout.pk)
        stored.append((row.status, row.psbt, row.reference))
        raise NodeUnavailable("gone")

    monkeypatch.setattr(chain_payouts, "draft", lambda *_: Draft("cHNidP8=", "0200", "f" * 64, 321))
    monkeypatch.setattr(chain_payouts, "broadcast", broadcast)

    send(payout.pk, at=NOW)
    monkeypatch.setattr(chain_payouts, "draft", lambda *_: pytest.fail("a second transaction"))
    send(payout.pk, at=NOW + HOLD)

    assert stored == [("sending", "0200", "f" * 64)] * 2
    assert Payout.objects.get().status == "sending"


# --- Lightning ----------------------------------------------------------------------------------------------------------------


def lightning(**more):
    return due(network="BTC-LN", amount_base=DUE * 1000, destination=DONATION, **more)


def test_a_lightning_payout_that_timed_out_is_unknown_and_never_paid_again(lnd, long_good):
    lnd.pays, lnd.tracks = [Outcome("unknown")], [Outcome("unknown"), Outcome("sent", fee_msat=7)]
    payout, seen = lightning(), []
    for hours in range(3):
        send(payout.pk, at=NOW + timedelta(hours=hours))
        payout.refresh_from_db()
        seen.append(payout.status)
    assert (seen, payout.fee_base, payout.reference, len(lnd.paid)) == (["unknown", "unknown", "sent"], 7, HASH, 1)


def test_a_payment_that_lnd_gave_up_makes_the_payout_failed(lnd, long_good):
    lnd.pays, lnd.tracks = [Outcome("unknown")], [Outcome("failed", problem="There is no way.")]
    payout = lightning()
    send(payout.pk, at=NOW)
    send(payout.pk, at=NOW + HOLD)
    payout.refresh_from_db()
    assert (payout.status, payout.error, payout.reference, payout.next_try_at) == ("failed", "There is no way.", None, None)


def test_a_payment_that_lnd_does_not_know_is_ordered_again(lnd, long_good):
    lnd.pays, lnd.tracks = [Outcome("sent", fee_msat=1)], [Outcome("absent")]
    payout = lightning(status="sending", reference=HASH, fee_limit_base=5)
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert payout.status == "sent"
    assert lnd.paid[0][1]["fee_limit_msat"] == 5


def test_a_refused_payment_has_the_status_that_lnd_knows_for_its_hash(lnd, long_good):
    lnd.pays, lnd.tracks = [Outcome("refused", problem="invoice expired")], [Outcome("sent", fee_msat=3)]
    payout = lightning()
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.fee_base) == ("sent", 3)


def test_a_lightning_invoice_without_an_amount_is_paid_the_exact_payout(lnd, long_good):
    lnd.pays = [Outcome("sent")]
    send(lightning().pk, at=NOW)
    _, limits = lnd.paid[0]
    assert (limits["amount_msat"], limits["asks_amount"], limits["fee_limit_msat"]) == (DUE * 1000, False, fee_limit(DUE * 1000))


def test_a_lightning_invoice_cannot_be_used_for_two_payouts(lnd, long_good):
    PayoutFactory(network="BTC-LN", status="sent", reference=HASH)
    payout = lightning()
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.next_try_at, lnd.paid) == ("failed", None, [])
    assert "another payout" in payout.error


def test_an_expired_lightning_invoice_fails_the_payout_before_it_is_paid(lnd):
    payout = lightning()
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    assert (payout.status, lnd.paid) == ("failed", [])


@pytest.mark.parametrize(("amount_msat", "limit"), [(1_000, 10_000), (1_000_000, 10_000), (200_000_000, 2_000_000)])
def test_the_fee_limit_is_a_percentage_with_a_minimum(settings, amount_msat, limit):
    settings.PAYOUT_FEE_PERCENT = Decimal(1)
    assert fee_limit(amount_msat) == limit


# --- When the wallet is empty, or somebody is faster ------------------------------------------------------------------------------


@pytest.mark.parametrize(("others", "status", "is_due_again"), [([], "failed", False), (["approved"], "approved", True)])
def test_an_empty_wallet_fails_the_payout_unless_change_of_other_payouts_may_still_come(bitcoin, monkeypatch, others, status, is_due_again):
    def draft(*_):
        raise OutOfFunds("The wallet cannot pay this: Insufficient funds")

    monkeypatch.setattr(chain_payouts, "draft", draft)
    for other in others:
        PayoutFactory(status=other, psbt="cHNidP8=")
    payout = due()

    send(payout.pk, at=NOW)

    payout.refresh_from_db()
    assert (payout.status, payout.next_try_at == NOW + WAITS[0]) == (status, is_due_again)
    assert "Insufficient funds" in payout.error


def test_a_node_error_does_not_change_a_payout_that_was_withdrawn_meanwhile(real, monkeypatch):
    def withdraw_and_fail(payout, at):
        withdraw_payout(payout.pk, actor="ada", reason="a slip", at=at)
        raise NodeUnavailable("no answer")

    monkeypatch.setattr(sending, "_sender_for", lambda payout: withdraw_and_fail)
    payout = due()

    send(payout.pk, at=NOW)

    payout.refresh_from_db()
    assert (payout.status, payout.next_try_at, payout.error) == ("withdrawn", None, "")


@pytest.mark.parametrize(("status", "network"), [("sending", "BTC"), ("unknown", "BTC"), ("approved", "XRP")])
def test_a_signature_is_accepted_only_for_an_approved_payout_of_a_configured_coin(bitcoin, status, network):
    payout = PayoutFactory(status=status, network=network, psbt="cHNidP8=")
    with pytest.raises(PayoutRefused, match="not waiting for a signature"):
        accept_signed(payout.pk, "cHNidP8=", actor="ada", at=NOW)
    assert Payout.objects.get().version == 1
