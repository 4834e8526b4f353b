"""What each step of sending asks the node, what it stores before and after, and how it ends."""

import hashlib
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest

from cryptons.coins import BITCOIN
from cryptons.events.models import Event
from payments.errors import NodeUnavailable, PayoutMoved, PayoutRefused
from payments.models import Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.bitcoin.payouts import Draft, OutOfFunds
from payments.payouts import sending
from payments.payouts.fees import fee_limit_of
from payments.payouts.sending import HOLD, WAITS, accept_signed, send
from payments.payouts.tests.payout_steps import covered_payout
from payments.payouts.workflow import try_again
from payments.tests.factories import DUE, NOW, PayoutFactory
from payments.tests.subjects import PunctualSubject, RecordingJobs

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "x" * 400


@pytest.fixture(autouse=True)
def jobs(monkeypatch):
    """Nothing is queued; what would be is noted."""
    jobs = RecordingJobs()
    monkeypatch.setattr("payments.jobs._registered", [jobs])
    monkeypatch.setattr("payments.subject._registered", [PunctualSubject(NOW)])
    return jobs


@pytest.fixture
def bitcoin(settings, monkeypatch):
    """A wallet that does what the test sets, and keeps what it was asked."""
    settings.SANDBOX = False
    settings.BITCOIN_RPC_HOST = "127.0.0.1"
    node = SimpleNamespace(asked=[], draft=Draft("cHNidP8=", "0200", "f" * 64, 321), outcome=chain_payouts.Outcome("sent"))

    def ask(name):
        def call(*args):
            node.asked.append((name, *args))
            answer = node.outcome if name == "broadcast" else node.draft
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    for name in ("draft", "broadcast", "signed_by_staff"):
        monkeypatch.setattr(chain_payouts, name, ask(name))
    monkeypatch.setattr(chain_payouts, "release", lambda *args: node.asked.append(("release", *args)))
    return node


def due(**more):
    return covered_payout(**{"approved_by": "grace", **more})


def sent(payout, at=NOW):
    send(payout.pk, at=at)
    payout.refresh_from_db()
    return payout


def events(payout):
    return list(Event.objects.filter(subject_id=payout.pk).order_by("seq").values_list("type", flat=True))


# --- When, and how often ----------------------------------------------------------------------------------------------------


def test_while_one_worker_sends_a_payout_the_others_leave_it_alone_and_send_theirs(monkeypatch):
    payout, other, rows = due(), due(), []
    monkeypatch.setattr(sending, "_sender_for", lambda _: lambda payout, at: rows.append((payout.next_try_at, payout.attempts, at)))
    send(payout.pk, at=NOW + timedelta(seconds=5))
    other.refresh_from_db()
    assert rows == [(NOW + timedelta(seconds=5) + HOLD, 1, NOW + timedelta(seconds=5))]
    assert (other.next_try_at, other.attempts, HOLD) == (NOW, 0, timedelta(minutes=2))


def test_the_times_between_tries():
    assert [wait.total_seconds() for wait in WAITS] == [10, 60, 300, 1800, 3600]


def test_a_payout_that_has_to_wait_keeps_a_short_error_and_the_others_keep_theirs(bitcoin):
    bitcoin.draft = NodeUnavailable(LONG)
    payout, other = due(), due()
    sent(payout)
    other.refresh_from_db()
    assert (payout.error, payout.next_try_at, payout.attempts) == (LONG[:300], NOW + timedelta(seconds=10), 1)
    assert (other.error, other.next_try_at) == ("", NOW)


def test_the_log_says_which_network_a_payout_waits_for_and_why(bitcoin, caplog):
    bitcoin.draft = NodeUnavailable("away")
    sent(due())
    (entry,) = [entry for entry in caplog.records if entry.name == "payments.payouts.sending"]
    assert (entry.levelname, entry.message, entry.network, entry.error) == ("WARNING", "a payout waits", "BTC", "away")


def test_a_sandbox_payout_has_a_transaction_of_its_own_without_a_fee():
    payout = sent(due())
    assert (payout.status, payout.fee_base, payout.sent_at) == ("sent", 0, NOW)
    assert payout.reference == hashlib.sha256(f"payout {payout.pk}".encode()).hexdigest()


# --- On a chain -------------------------------------------------------------------------------------------------------------


def test_a_payout_on_chain_is_drafted_stored_and_broadcast(bitcoin):
    payout = sent(due(error="away"))
    assert bitcoin.asked == [
        ("draft", BITCOIN, payout.destination, DUE, [], fee_limit_of(payout)),
        ("broadcast", BITCOIN, "0200", "f" * 64),
    ]
    assert (payout.status, payout.reference, payout.psbt, payout.fee_base) == ("sent", "f" * 64, "0200", 321)
    assert (payout.error, payout.next_try_at, payout.sent_at) == ("", None, NOW)
    assert events(payout) == ["payout.sending", "payout.sent"]


def test_a_stored_transaction_is_held_from_other_workers_while_it_is_broadcast(bitcoin, monkeypatch):
    rows = []

    def broadcast(*args):
        rows.append(Payout.objects.values_list("status", "next_try_at", "error", "fee_base").get())
        return chain_payouts.Outcome("sent")

    monkeypatch.setattr(chain_payouts, "broadcast", broadcast)
    sent(due(error="away", attempts=3))
    assert rows == [("sending", NOW + HOLD, "", 321)]


def test_a_stored_transaction_is_broadcast_again_and_no_other_is_made(bitcoin):
    payout = sent(due(status="sending", psbt="0200", reference="f" * 64, fee_base=7))
    assert bitcoin.asked == [("broadcast", BITCOIN, "0200", "f" * 64)]
    assert (payout.status, payout.fee_base) == ("sent", 7)


def test_a_transaction_to_sign_is_stored_and_waits_for_staff(bitcoin):
    bitcoin.draft = Draft("cHNidP8=", "", "f" * 64, 321)
    payout = sent(due(error="away"))
    assert (payout.status, payout.psbt, payout.fee_base, payout.reference) == ("approved", "cHNidP8=", 321, None)
    assert (payout.error, payout.next_try_at, events(payout)) == ("", None, ["payout.updated"])
    assert [asked[0] for asked in bitcoin.asked] == ["draft"]


def test_a_transaction_that_waits_for_a_signature_asks_the_node_nothing(bitcoin):
    payout, other = due(psbt="cHNidP8="), due()
    sent(payout)
    other.refresh_from_db()
    assert (bitcoin.asked, payout.next_try_at, payout.status, other.next_try_at) == ([], None, "approved", NOW)


def test_the_coins_of_other_unfinished_payouts_of_the_network_are_kept(bitcoin):
    kept = [PayoutFactory(status=status, psbt=status).psbt for status in ("approved", "sending", "unknown")]
    for status in ("draft", "sent", "failed", "withdrawn"):
        PayoutFactory(status=status, psbt=status)
    PayoutFactory(status="sending", psbt="", reference="a" * 64)
    PayoutFactory(status="sending", psbt="litecoin", network="LTC")
    sent(due())
    assert sorted(bitcoin.asked[0][4]) == kept


def test_an_empty_wallet_fails_the_payout_with_a_short_error(bitcoin):
    bitcoin.draft = OutOfFunds(LONG)
    payout = sent(due())
    assert (payout.status, payout.error, payout.next_try_at, payout.reference) == ("failed", LONG[:300], None, None)
    assert (events(payout), [asked[0] for asked in bitcoin.asked]) == (["payout.failed"], ["draft"])


def test_the_transaction_of_a_payout_that_changed_meanwhile_is_released_at_its_wallet(bitcoin, monkeypatch):
    def store(*_):
        raise PayoutMoved("changed")

    monkeypatch.setattr(sending, "_store", store)
    payout = sent(due())
    assert [asked[0] for asked in bitcoin.asked] == ["draft", "release"]
    assert bitcoin.asked[1] == ("release", BITCOIN, "cHNidP8=")
    assert payout.status == "approved"


def test_a_coin_without_a_node_says_how_it_can_be_sent(settings):
    settings.SANDBOX = False
    payout = sent(due(network="XRP"))
    assert payout.error == "No node is configured to send XRP: send the payout from another wallet, and record it as sent manually."
    assert (payout.status, payout.next_try_at) == ("approved", NOW + WAITS[0])


# --- How it ends ------------------------------------------------------------------------------------------------------------


def test_a_transaction_that_can_never_be_sent_fails_the_payout_and_frees_its_reference(bitcoin):
    bitcoin.outcome = chain_payouts.Outcome("failed", LONG)
    payout = sent(due())
    assert (payout.status, payout.error, payout.reference, payout.psbt) == ("failed", LONG[:300], None, "")
    assert (payout.next_try_at, payout.fee_base, events(payout)) == (None, 321, ["payout.sending", "payout.failed"])


def test_an_outcome_that_is_not_known_is_asked_for_again_after_longer_and_longer_times(bitcoin):
    bitcoin.outcome = chain_payouts.Outcome("unknown", LONG)
    payout, at = due(), NOW
    for number in range(len(WAITS) + 1):
        sent(payout, at=at)
        wait = WAITS[min(number, len(WAITS) - 1)]
        assert (payout.status, payout.next_try_at, payout.error) == ("unknown", at + wait, LONG[:300])
        at = payout.next_try_at
    assert events(payout) == ["payout.sending", "payout.unknown"]


def test_a_payout_that_stays_unknown_tells_its_problem_without_a_new_event(bitcoin):
    bitcoin.outcome = chain_payouts.Outcome("unknown", LONG)
    payout, other = due(status="unknown", psbt="0200", reference="f" * 64, attempts=1), due(status="unknown", reference="e" * 64)
    sent(payout)
    other.refresh_from_db()
    assert (payout.next_try_at, payout.error, payout.version) == (NOW + WAITS[1], LONG[:300], 1)
    assert (events(payout), other.error, other.next_try_at) == ([], "", NOW)


def test_a_payout_that_staff_try_again_while_it_is_asked_for_is_due_when_they_said(bitcoin, monkeypatch):
    payout = due(status="unknown", psbt="0200", reference="f" * 64)

    def broadcast(*_):
        try_again(payout.pk, actor="ada", at=NOW)
        return chain_payouts.Outcome("unknown", "still asking")

    monkeypatch.setattr(chain_payouts, "broadcast", broadcast)
    sent(payout)
    assert (payout.next_try_at, payout.error, payout.version) == (NOW, "", 2)


# --- The signature of staff -------------------------------------------------------------------------------------------------


def test_a_signed_transaction_is_stored_and_due_at_once(bitcoin, jobs):
    payout = covered_payout(psbt="offered", error="waits", next_try_at=None)

    accept_signed(payout.pk, "signed", actor="ada", at=NOW)

    payout.refresh_from_db()
    assert bitcoin.asked == [("signed_by_staff", BITCOIN, "offered", "signed", payout.destination, DUE)]
    assert (payout.status, payout.psbt, payout.reference, payout.fee_base) == ("sending", "0200", "f" * 64, 321)
    assert (payout.next_try_at, payout.error, jobs.sent) == (NOW, "", [payout.pk])
    event = Event.objects.get(subject_id=payout.pk)
    assert (event.type, event.actor) == ("payout.sending", "ada")


@pytest.mark.parametrize(
    ("fields", "words"), [({"status": "sending"}, "Sending"), ({"psbt": ""}, "Approved"), ({"network": "XRP"}, "Approved")]
)
def test_the_refusal_of_a_signature_names_the_status(bitcoin, fields, words):
    payout = covered_payout(**{"psbt": "cHNidP8=", **fields})
    sentence = f"This payout is not waiting for a signature: its status is “{words}”."
    with pytest.raises(PayoutRefused, match=f"^{re.escape(sentence)}$"):
        accept_signed(payout.pk, "signed", actor="ada", at=NOW)
    assert bitcoin.asked == []
