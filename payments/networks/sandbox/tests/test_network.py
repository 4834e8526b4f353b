"""The pretended networks speak as the real ones do: facts, lookups, records and health."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cryptons.coins import COINS
from payments.networks.base import CursorState
from payments.networks.sandbox.network import BLOCK_SECONDS, SandboxNetwork, chain, mine_block, mine_due_blocks, receive, unmine

pytestmark = pytest.mark.django_db


@pytest.fixture
def network():
    return SandboxNetwork(COINS["BTC"])


@pytest.fixture
def now():
    return timezone.now()


def test_a_sandbox_payment_is_first_in_the_mempool_and_then_in_a_block(network, now):
    paid = receive("BTC", "a", 1_000, at=now)
    (waiting,) = network.facts_since(CursorState(), ()).facts
    mine_block("BTC", now + timedelta(minutes=1))
    page = network.facts_since(CursorState(), ())

    (mined,) = page.facts
    assert (waiting.reference, waiting.height, waiting.is_present) == (f"{paid.txid}:0", None, True)
    assert (mined.height, len(mined.block_hash), page.tip_height) == (chain("BTC").height, 64, chain("BTC").height)


def test_a_poll_reports_changed_and_requested_payments(network, now):
    old = receive("BTC", "a", 1_000, at=now - timedelta(days=1))
    cursor = network.facts_since(CursorState(), ()).cursor
    new = receive("BTC", "b", 2_000, at=now)

    assert [fact.reference for fact in network.facts_since(cursor, ()).facts] == [f"{new.txid}:0"]
    assert {fact.destination for fact in network.facts_since(cursor, [f"{old.txid}:0"]).facts} == {"a", "b"}


def test_a_lookup_returns_the_payments_of_the_address(network, now):
    receive("BTC", "a", 1_000, at=now)
    receive("BTC", "b", 2_000, at=now)
    receive("LTC", "a", 3_000, at=now)
    assert [fact.amount_base for fact in network.lookup(["a"])] == [1_000]
    network.close_destination("a")
    assert len(network.lookup(["a"])) == 1


def test_a_block_is_mined_when_the_last_is_old_enough_and_a_payment_waits(now):
    before = chain("BTC").height
    later = now + timedelta(seconds=2 * BLOCK_SECONDS)
    mine_due_blocks("BTC", later)
    assert chain("BTC").height == before

    receive("BTC", "a", 1_000, at=now)
    mine_due_blocks("BTC", now)
    assert chain("BTC").height == before
    mine_due_blocks("BTC", later)
    mine_due_blocks("BTC", later)
    assert chain("BTC").height == before + 1


def test_a_payment_whose_block_was_reorganised_away_is_unconfirmed_again(network, now):
    paid = receive("BTC", "a", 1_000, at=now)
    mine_block("BTC", now + timedelta(minutes=1))
    unmine(paid.pk, now=now)
    (fact,) = network.lookup(["a"])
    assert (fact.height, fact.block_hash, fact.is_present) == (None, "", True)


def test_health_of_a_sandbox_network_says_that_its_money_is_play_money(network):
    health = network.health()
    assert (health.problem, health.height, health.wallet) == ("", chain("BTC").height, "play money")
