"""What each step of sending over Lightning asks LND, what it stores before and after, and how it ends."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.errors import NodeRejected
from payments.models import Payout
from payments.networks.lightning import payouts as lightning_payouts
from payments.networks.lightning.payouts import Outcome
from payments.networks.lightning.tests.test_bolt11 import DONATION, HASH
from payments.payouts import sending
from payments.payouts.destinations import check_request
from payments.payouts.fees import fee_limit
from payments.payouts.sending import FEE_WAIT, HOLD, WAITS, send
from payments.payouts.tests.payout_steps import covered_payout
from payments.payouts.workflow import allow_fee, withdraw_payout
from payments.tests.factories import DUE, NOW, PayoutFactory
from payments.tests.subjects import PunctualSubject, RecordingJobs

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "x" * 400


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("payments.jobs._registered", [RecordingJobs()])
    monkeypatch.setattr("payments.subject._registered", [PunctualSubject(NOW)])


@pytest.fixture
def lnd(settings, monkeypatch):
    """Gives the outcomes that a test sets (`before`: until the payout is sent), and keeps what it was asked.

    The request of BOLT 11, which ended years ago, is still good.
    """
    settings.SANDBOX, settings.LND_PAYOUT_MACAROON, settings.BITCOIN_NETWORK = False, "ab", "mainnet"
    lnd = SimpleNamespace(asked=[], pays=[], tracks=[], checked=[], before=Outcome("absent"))

    def pay(request, **limits):
        lnd.asked.append(
            ("pay", request, limits, Payout.objects.values("status", "reference", "next_try_at", "fee_limit_base", "error").get())
        )
        return lnd.pays.pop(0)

    def track(payment_hash):
        lnd.asked.append(("track", payment_hash))
        return lnd.before if ("decode", DONATION) in lnd.asked[-2:] else lnd.tracks.pop(0)

    def check(text, amount, at):
        lnd.checked.append((text, amount, at))
        return check_request(text, amount, at=None)

    monkeypatch.setattr(lightning_payouts, "pay", pay)
    monkeypatch.setattr(lightning_payouts, "track", track)
    monkeypatch.setattr(lightning_payouts, "decode", lambda request: lnd.asked.append(("decode", request)))
    monkeypatch.setattr(sending, "check_request", check)
    return lnd


def lightning(**more):
    return covered_payout(**{"network": "BTC-LN", "amount_base": DUE * 1000, "destination": DONATION, "approved_by": "grace", **more})


def sent(payout):
    send(payout.pk, at=NOW)
    payout.refresh_from_db()
    return payout


def test_a_lightning_payout_is_checked_stored_and_paid_within_its_limits(lnd):
    lnd.pays = [Outcome("sent", fee_msat=7)]

    payout = sent(lightning(error="away"))

    assert lnd.checked == [(DONATION, DUE * 1000, NOW), (DONATION, DUE * 1000, None)]
    limits = {"amount_msat": DUE * 1000, "asks_amount": False, "fee_limit_msat": fee_limit(DUE * 1000)}
    row = {"status": "sending", "reference": HASH, "next_try_at": NOW + HOLD, "fee_limit_base": fee_limit(DUE * 1000), "error": ""}
    assert lnd.asked == [("decode", DONATION), ("track", HASH), ("pay", DONATION, limits, row)]
    assert (payout.status, payout.reference, payout.fee_base, payout.error) == ("sent", HASH, 7, "")
    assert list(Event.objects.filter(subject_id=payout.pk).order_by("seq").values_list("type", flat=True)) == [
        "payout.sending",
        "payout.sent",
    ]


def test_a_lightning_invoice_with_an_amount_is_paid_without_naming_it_again(lnd, monkeypatch):
    lnd.pays = [Outcome("sent")]
    request = SimpleNamespace(payment_hash=HASH, amount_msat=DUE * 1000)
    monkeypatch.setattr(sending, "check_request", lambda text, amount, at: request)
    sent(lightning())
    assert lnd.asked[2][2]["asks_amount"] is True


def test_a_worker_without_the_macaroon_says_so_and_waits(lnd, settings):
    settings.LND_PAYOUT_MACAROON = ""
    payout = sent(lightning())
    assert payout.error == "This worker cannot pay over Lightning: LND_PAYOUT_MACAROON is not set."
    assert (payout.status, payout.next_try_at, lnd.asked) == ("approved", NOW + WAITS[0], [])


def test_an_lnd_that_cannot_decode_the_invoice_leaves_the_payout_approved(lnd, monkeypatch):
    def decode(request):
        raise NodeRejected("bad macaroon")

    monkeypatch.setattr(lightning_payouts, "decode", decode)
    payout = sent(lightning())
    assert (payout.status, payout.error, payout.reference, lnd.asked) == ("approved", "bad macaroon", None, [])


def test_a_lightning_invoice_that_cannot_be_paid_fails_the_payout_with_a_short_error(lnd, monkeypatch):
    def check(text, amount, at):
        raise sending.BadDestination(LONG)

    monkeypatch.setattr(sending, "check_request", check)
    payout = sent(lightning())
    assert (payout.status, payout.error, payout.next_try_at, lnd.asked) == ("failed", LONG[:300], None, [])


def test_a_lightning_invoice_of_another_payout_asks_for_a_new_one(lnd):
    PayoutFactory(network="BTC-LN", status="sent", reference=HASH)
    payout = sent(lightning())
    assert payout.error == "This Lightning invoice belongs to another payout: ask for a new one."
    assert (payout.status, payout.next_try_at, payout.reference, payout.fee_limit_base) == ("failed", None, None, None)
    assert lnd.asked == [("decode", DONATION), ("track", HASH)]


@pytest.mark.parametrize("status", ["sending", "unknown"])
def test_a_lightning_payout_that_may_have_been_paid_is_looked_up_by_its_hash(lnd, status):
    lnd.tracks = [Outcome("sent", fee_msat=3)]
    payout = sent(lightning(status=status, reference=HASH))
    assert (lnd.asked, payout.status, payout.fee_base) == ([("track", HASH)], "sent", 3)


@pytest.mark.parametrize(("stored", "limit"), [(None, fee_limit(DUE * 1000)), (5, 5)])
def test_a_payment_that_lnd_does_not_know_is_paid_within_the_stored_limit(lnd, stored, limit):
    lnd.tracks, lnd.pays = [Outcome("absent")], [Outcome("sent")]
    payout = sent(lightning(status="sending", reference=HASH, fee_limit_base=stored))
    assert ([asked[0] for asked in lnd.asked], lnd.asked[1][2]["fee_limit_msat"]) == (["track", "pay"], limit)
    assert (payout.status, lnd.checked) == ("sent", [(DONATION, DUE * 1000, None)])


def test_a_refused_payment_that_lnd_does_not_know_fails_the_payout_with_the_reason(lnd):
    lnd.pays, lnd.tracks = [Outcome("refused", problem="There is no way.")], [Outcome("absent")]
    payout = sent(lightning())
    assert (payout.status, payout.error, payout.reference, payout.next_try_at) == ("failed", "There is no way.", None, None)
    assert [asked[0] for asked in lnd.asked] == ["decode", "track", "pay", "track"]
    assert lnd.asked[3] == ("track", HASH)


def test_a_refused_payment_that_lnd_still_tries_is_unknown(lnd):
    lnd.pays, lnd.tracks = [Outcome("refused", problem="already in transition")], [Outcome("unknown", problem="in flight")]
    payout = sent(lightning())
    assert (payout.status, payout.error, payout.reference, payout.next_try_at) == ("unknown", "in flight", HASH, NOW + WAITS[0])


# --- No route within the fee limit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracked", [False, True])
def test_a_payout_waits_while_lnd_finds_no_route_within_its_fee_limit(lnd, settings, tracked):
    settings.STAFF_EMAIL = ["grace@example.com"]
    no_route = Outcome("no_route", attempt=4)
    lnd.pays, lnd.tracks = ([], [no_route]) if tracked else ([no_route], [])

    payout = sent(lightning(status="unknown", reference=HASH) if tracked else lightning())

    assert (payout.status, payout.blocked_by, payout.reference, payout.next_try_at) == ("approved", "fee", None, NOW + FEE_WAIT)
    assert payout.error == (
        "There is no route to the recipient for a fee of at most 0.00002000000 BTC. The payout waits until there is one, or until somebody "
        "allows a higher fee."
    )
    mail = Mail.objects.get()
    assert (mail.subject, payout.error in mail.text) == ("A payout has stopped", True)


def test_a_payout_without_a_route_is_tried_again_by_itself_and_its_staff_are_told_once(lnd, settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    payout = lightning()
    for turn, outcome in enumerate([Outcome("no_route", attempt=1), Outcome("no_route", attempt=2), Outcome("sent", fee_msat=7)]):
        lnd.pays = [outcome]
        send(payout.pk, at=NOW + turn * FEE_WAIT)

    payout.refresh_from_db()
    assert (payout.status, payout.fee_base, payout.blocked_by, payout.error) == ("sent", 7, "", "")
    assert Mail.objects.count() == 1


def test_a_payout_without_a_route_is_sent_with_the_fee_that_a_person_allows(lnd):
    lnd.pays = [Outcome("no_route", attempt=1), Outcome("sent", fee_msat=60_000)]
    payout = sent(lightning())

    allow_fee(payout.pk, 75_000, actor="ada", reason="The buyer waits.", at=NOW)

    assert sent(payout).status == "sent"
    assert [asked[2]["fee_limit_msat"] for asked in lnd.asked if asked[0] == "pay"] == [2_000_000, 75_000]


def test_a_payout_without_a_route_can_be_withdrawn_because_nothing_is_under_way(lnd):
    lnd.pays = [Outcome("no_route", attempt=1)]
    payout = sent(lightning())
    assert withdraw_payout(payout.pk, actor="ada", reason="so", at=NOW).status == "withdrawn"


@pytest.mark.parametrize("former", ["failed", "no_route"])
def test_the_failure_of_a_former_payment_of_the_request_ends_no_payout(lnd, former):
    """LND names the former one until it has begun the new one, which was ordered before a crash or is still on its way to it."""
    lnd.before = Outcome(former, attempt=4)
    lnd.pays = [Outcome("unknown"), Outcome("unknown"), Outcome("unknown")]
    lnd.tracks = [Outcome(former, attempt=4), Outcome(former, attempt=5)]
    payout = lightning()
    seen = []
    for hours in range(3):
        send(payout.pk, at=NOW + timedelta(hours=hours))
        payout.refresh_from_db()
        seen.append((payout.status, payout.attempt_before))
    assert seen == [("unknown", 4), ("unknown", 4), ("approved" if former == "no_route" else "failed", 4)]


def test_a_payout_is_not_begun_while_lnd_may_be_paying_its_request(lnd):
    lnd.before = Outcome("unknown")
    payout = sent(lightning())
    assert (payout.status, payout.error, payout.next_try_at) == ("approved", "LND is still paying this Lightning invoice.", NOW + WAITS[0])


@pytest.mark.parametrize(("percent", "amount_msat", "limit"), [("1", 1_000_100, 10_001), ("1", 1_000_199, 10_001), ("0.5", 10**8, 500_000)])
def test_the_fee_limit_is_rounded_down_to_millisatoshis(settings, percent, amount_msat, limit):
    settings.PAYOUT_FEE_PERCENT = Decimal(percent)
    assert fee_limit(amount_msat) == limit
