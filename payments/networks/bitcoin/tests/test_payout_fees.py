"""The fee of a payout on a chain: estimated without a trace, and never above the highest that is allowed."""

import pytest

from cryptons.coins import BITCOIN
from cryptons.money import Base
from payments.networks.bitcoin.payouts import FeeTooHigh, OutOfFunds, draft, estimate_fee

AMOUNT = Base(30_000_000)


def test_a_draft_above_the_highest_fee_is_refused_and_locks_nothing(bitcoind, funds, target):
    bitcoind.node.fee_rate = 300
    with pytest.raises(FeeTooHigh) as refused:
        draft(BITCOIN, target, AMOUNT, (), Base(10_000))
    assert refused.value.fee_base > 10_000
    assert funds.wallet.locked == set()
    assert draft(BITCOIN, target, AMOUNT, (), refused.value.fee_base).fee_base == refused.value.fee_base


def test_an_estimate_says_the_fee_and_leaves_no_trace(bitcoind, funds, target):
    known = set(funds.wallet.heard_at)
    fee = estimate_fee(BITCOIN, target, AMOUNT)
    assert (funds.wallet.locked, set(funds.wallet.heard_at), bitcoind.chain.mempool) == (set(), known, {})
    assert draft(BITCOIN, target, AMOUNT).fee_base == fee > 0


def test_an_estimate_in_an_empty_wallet_says_so(bitcoind, settings, target):
    settings.BITCOIN_PAYOUT_WALLET = "payouts"
    bitcoind.node.createwallet("payouts", load=True)
    with pytest.raises(OutOfFunds):
        estimate_fee(BITCOIN, target, AMOUNT)


def test_a_draft_above_the_highest_fee_uses_up_no_address_of_a_watch_only_wallet(bitcoind, watched, target):
    with pytest.raises(FeeTooHigh):
        draft(BITCOIN, target, AMOUNT, (), Base(1))
    assert "change of a payout" not in bitcoind.wallet("watched").labels.values()
    assert bitcoind.wallet("watched").locked == set()
