"""The network's fee for a payout has a limit; above it the payout waits until fees fall or a person allows more."""

from datetime import timedelta
from decimal import Decimal

import grpc
import pytest

from cryptons.coins import BITCOIN
from cryptons.events.models import Event
from cryptons.mail.models import Mail
from cryptons.money import Base
from payments.errors import NodeUnavailable, PayoutRefused
from payments.models import Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.bitcoin.payouts import Draft, FeeTooHigh, Outcome
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401
from payments.payouts.fees import fee_limit_of, fee_problem, fee_words
from payments.payouts.sending import FEE_WAIT, send
from payments.payouts.tests.payout_steps import covered_payout
from payments.payouts.workflow import allow_fee
from payments.tests.factories import DUE, NOW

pytestmark = pytest.mark.django_db(transaction=True)

SPIKE = Base(42_300)
"""141 virtual bytes at 300 sat for each."""


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.PAYOUT_FEE_PERCENT, settings.PAYOUT_FEE_MINIMUM = Decimal(1), Decimal(2)
    settings.STAFF_EMAIL = ["grace@example.com"]


@pytest.fixture
def node(settings, monkeypatch):
    """A wallet whose transactions cost what `fee` says."""
    settings.SANDBOX, settings.BITCOIN_RPC_HOST, settings.BITCOIN_NETWORK = False, "127.0.0.1", "mainnet"
    monkeypatch.setattr("payments.tasks.enqueue", lambda *_, **__: None)
    node = type("Node", (), {"fee": SPIKE, "limits": [], "estimates": []})()

    def draft(coin, address, amount, kept, max_fee):
        node.limits.append(max_fee)
        if node.fee > max_fee:
            raise FeeTooHigh(node.fee)
        return Draft("cHNidP8=", "0200", "f" * 64, node.fee)

    def estimate(coin, address, amount):
        node.estimates.append((coin, address, amount))
        return node.fee

    monkeypatch.setattr(chain_payouts, "draft", draft)
    monkeypatch.setattr(chain_payouts, "estimate_fee", estimate)
    monkeypatch.setattr(chain_payouts, "broadcast", lambda *_: Outcome("sent"))
    return node


def tried(payout, at=NOW):
    send(payout.pk, at=at)
    payout.refresh_from_db()
    return payout


# --- The limit ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "amount", "allowed", "limit"),
    [
        ("BTC", 30_770, None, 4_000),  # 2.00 at 50,000.00
        ("BTC", 400_000, None, 4_000),
        ("BTC", 400_100, None, 4_001),
        ("BTC", 30_770, 42_300, 42_300),
        ("BTC", 400_100, 10, 10),
        ("BTC-LN", 1_000_000, None, 10_000),
        ("BTC-LN", 200_000_000, None, 2_000_000),
        ("BTC-LN", 1_000_000, 50_000, 50_000),
    ],
)
def test_the_fee_limit_is_a_percentage_with_a_minimum_or_what_a_person_allowed(network, amount, allowed, limit):
    assert fee_limit_of(covered_payout(network=network, amount_base=amount, fee_allowed_base=allowed)) == limit


def test_a_fee_at_the_limit_is_no_problem_and_one_above_it_is_named():
    payout = covered_payout()
    assert fee_problem(payout, 4_000) == ""
    assert "would be 0.00004001 BTC, but it may be at most 0.00004000" in fee_problem(payout, 4_001)


# --- Waiting ------------------------------------------------------------------------------------------------------------------


def test_a_payout_waits_while_its_fee_is_above_the_limit(node):
    payout = tried(covered_payout())
    assert (payout.status, payout.blocked_by, payout.psbt, payout.next_try_at) == ("approved", "fee", "", NOW + FEE_WAIT)
    assert "would be 0.00042300 BTC, but it may be at most 0.00004000" in payout.error


def test_staff_are_told_once_that_a_payout_waits_for_lower_fees(node):
    payout = covered_payout()
    for turn in range(3):
        tried(payout, NOW + turn * FEE_WAIT)
    assert Event.objects.filter(subject_id=payout.pk, type="payout.fee_too_high").count() == 1
    mail = Mail.objects.get()
    assert (mail.subject, "0.00042300 BTC" in mail.text) == ("A payout has stopped", True)


def test_a_payout_is_sent_by_itself_when_fees_have_fallen(node):
    payout = tried(covered_payout())
    node.fee = Base(1_410)
    assert tried(payout, NOW + FEE_WAIT - timedelta(seconds=1)).status == "approved"
    payout = tried(payout, NOW + FEE_WAIT)
    assert (payout.status, payout.fee_base, payout.blocked_by, payout.error) == ("sent", 1_410, "", "")


def test_a_payout_is_sent_once_a_person_allows_its_fee(node):
    payout = tried(covered_payout())

    allow_fee(payout.pk, 45_000, actor="ada", reason="The buyer waits since Monday.", at=NOW)

    assert (tried(payout).status, payout.fee_base, node.limits) == ("sent", SPIKE, [4_000, 45_000])
    event = Event.objects.get(subject_id=payout.pk, type="payout.fee_allowed")
    assert (event.actor, event.data["reason"], event.data["feeAllowed"]) == ("ada", "The buyer waits since Monday.", "0.00045000")


def test_a_fee_can_be_allowed_before_the_payout_is_approved(node):
    payout = covered_payout(status="draft", next_try_at=None)
    allow_fee(payout.pk, 45_000, actor="ada", reason="so", at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.fee_allowed_base, payout.next_try_at) == ("draft", 45_000, None)


def test_an_allowed_fee_does_not_let_a_payout_go_on_whose_money_is_gone():
    payout = covered_payout(blocked_by="cover", error="gone", next_try_at=None)
    allow_fee(payout.pk, 45_000, actor="ada", reason="so", at=NOW)
    payout.refresh_from_db()
    assert (payout.blocked_by, payout.next_try_at) == ("cover", None)


@pytest.mark.parametrize(
    ("fields", "fee"),
    [({"psbt": "cHNidP8="}, 45_000), ({"status": "sending"}, 45_000), ({"status": "sent"}, 45_000), ({"status": "withdrawn"}, 1), ({}, 0)],
)
def test_a_fee_is_not_allowed_for_a_transaction_that_is_made_nor_for_nothing(fields, fee):
    payout = covered_payout(**fields)
    with pytest.raises(PayoutRefused):
        allow_fee(payout.pk, fee, actor="ada", reason="so", at=NOW)
    assert Payout.objects.get().fee_allowed_base is None


# --- Shown before approval ----------------------------------------------------------------------------------------------------


def test_the_estimated_fee_and_its_limit_are_said_before_the_approval(node):
    node.fee = Base(1_410)
    payout = covered_payout(status="draft", destination="bcrt1qback")
    assert [words for words in fee_words(payout) if words] == ["about 0.00001410 BTC, at most 0.00004000 BTC"]
    assert node.estimates == [(BITCOIN, "bcrt1qback", DUE)]


def test_a_fee_above_the_limit_is_said_before_the_approval(node):
    about, problem = fee_words(covered_payout(status="draft"))
    assert about == "about 0.00042300 BTC, at most 0.00004000 BTC"
    assert "The payout waits until fees fall" in problem


def test_the_fee_of_a_transaction_that_waits_for_its_signature_is_said_without_a_node(node):
    assert fee_words(covered_payout(psbt="cHNidP8=", fee_base=2_000))[0] == "about 0.00002000 BTC, at most 0.00004000 BTC"
    assert node.estimates == []


def test_a_node_that_is_away_leaves_the_limit(node, monkeypatch):
    def away(*_):
        raise NodeUnavailable("bitcoind does not answer.")

    monkeypatch.setattr(chain_payouts, "estimate_fee", away)
    assert fee_words(covered_payout(status="draft")) == [
        "at most 0.00004000 BTC; it cannot be estimated now",
        "bitcoind does not answer.",
    ]


def lightning(lnd, settings):
    settings.SANDBOX = False
    return covered_payout(status="draft", network="BTC-LN", amount_base=DUE * 1000, destination=f"lnbcrt{'ab' * 32}")


def test_the_fee_over_lightning_is_estimated_from_a_route_to_the_recipient(lnd, settings):
    lnd.route_fees = [3_500]
    payout = lightning(lnd, settings)
    assert [words for words in fee_words(payout) if words] == ["about 0.00000003500 BTC, at most 0.00002000000 BTC"]
    asked = lnd.received["QueryRoutes"]
    assert (asked.pub_key, asked.amt_msat, asked.final_cltv_delta) == ("03" + "cd" * 32, DUE * 1000, 80)
    assert asked.route_hints[0].hop_hints[0].fee_base_msat == 1_000
    assert asked.fee_limit.fixed_msat == DUE * 1000
    assert "SendPaymentV2" not in lnd.asked


def test_a_fee_over_lightning_above_the_limit_is_said_before_the_approval(lnd, settings):
    lnd.route_fees = [2_000_001]
    _, problem = fee_words(lightning(lnd, settings))
    assert "would be 0.00002000001 BTC, but it may be at most 0.00002000000" in problem


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("permission denied", "LND refuses LND_MACAROON: it does not allow /lnrpc.Lightning/QueryRoutes."),
        ("unable to find a path to destination", "LND refuses: unable to find a path to destination"),
    ],
)
def test_without_an_estimate_over_lightning_the_limit_is_said_with_the_reason(lnd, settings, error, says):
    lnd.errors["QueryRoutes"] = (grpc.StatusCode.UNKNOWN, error)
    assert fee_words(lightning(lnd, settings)) == ["at most 0.00002000000 BTC; it cannot be estimated now", says]


def test_a_coin_that_the_shop_does_not_send_itself_has_the_fee_of_another_wallet(node):
    assert fee_words(covered_payout(status="draft", network="XRP")) == [
        "set by the wallet from which you send it, because the shop has no node that sends XRP"
    ]
