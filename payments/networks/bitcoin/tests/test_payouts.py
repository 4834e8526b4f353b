"""Payouts on a chain: drafted, signed, stored, then broadcast as often as need be, and never in place of another."""

import pytest

from cryptons.coins import BITCOIN, LITECOIN
from cryptons.money import Base
from payments.confirmations import FINAL_DEPTH
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.bitcoin import payouts
from payments.networks.bitcoin.payouts import (
    OutOfFunds,
    broadcast,
    coins_of,
    draft,
    is_address,
    is_broadcast,
    paid_by,
    release,
    signed_by_staff,
)
from tests.fake_bitcoind import psbt as psbts
from tests.fake_bitcoind.chain import signed, spends, unsigned
from tests.fake_bitcoind.methods import read_transaction
from tests.fake_bitcoind.wallet_methods import WalletMethods

AMOUNT = Base(30_000_000)


def coin_of(made):
    (coin,) = coins_of(made.raw)
    txid, _, vout = coin.partition(":")
    return txid, int(vout)


def spend_coin(node, coin, *, fee=50_000, to=""):
    """Another transaction of the same coin, to the wallet's own change unless `to` is an address."""
    script = node.chain.script(to) if to else node.wallet("payouts").change_script()
    return signed(unsigned([coin], [(script, node.chain.value(coin) - fee)]), [0])


# --- addresses ---


def test_the_node_decides_which_addresses_are_valid(bitcoind, target):
    assert is_address(BITCOIN, target)
    assert not is_address(BITCOIN, "nonsense")
    assert not is_address(BITCOIN, "rltc1qd45w7ytjmzl6c2xqv0w0pk3dd3wqhu5xc7pm6k")


@pytest.mark.parametrize("answer", [{"scriptPubKey": ""}, {"witness_version": 2}], ids=["within MWEB", "a version to come"])
def test_an_address_that_anybody_could_spend_from_is_not_valid(bitcoind, target, answer):
    valid = {"isvalid": True, "scriptPubKey": "0014", "witness_version": 0}
    usual = bitcoind.answer
    bitcoind.answer = lambda wallet, method, params: valid | answer if method == "validateaddress" else usual(wallet, method, params)
    assert not is_address(BITCOIN, target)


# --- drafting ---


def test_a_draft_pays_the_payout_and_nothing_else_but_change(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)

    transaction = bitcoind.node.decoderawtransaction(made.raw)
    paid = {output["scriptPubKey"]["address"]: output["value"] for output in transaction["vout"]}
    assert (len(paid), paid[target] * 10**8) == (2, AMOUNT)
    assert (made.txid, made.psbt.startswith(payouts.UNSIGNED)) == (transaction["txid"], True)
    assert made.fee_base == psbts.read(made.psbt).fee > 0
    assert bitcoind.chain.mempool == {}


def test_the_coins_of_a_draft_are_locked(bitcoind, funds, target):
    first, second = draft(BITCOIN, target, AMOUNT), draft(BITCOIN, target, AMOUNT)
    assert coin_of(first) != coin_of(second)
    assert len(funds.wallet.locked) == 2


def test_coins_of_stored_transactions_are_locked_again_after_the_node_restarted(bitcoind, funds, target):
    stored = [draft(BITCOIN, target, AMOUNT) for _ in range(2)]
    with bitcoind.away():
        pass
    assert funds.wallet.locked == set()

    third = draft(BITCOIN, target, AMOUNT, [stored[0].raw, stored[1].psbt])

    assert len({coin_of(made) for made in (*stored, third)}) == 3


def test_a_stored_transaction_whose_coin_is_spent_does_not_block_a_draft(bitcoind, funds, target):
    stored = draft(BITCOIN, target, AMOUNT)
    with bitcoind.away():
        pass
    bitcoind.mine_without(spend_coin(bitcoind, coin_of(stored)))

    assert draft(BITCOIN, target, AMOUNT, [stored.raw]).raw


def test_an_unexpected_error_while_coins_are_locked_stops_the_draft(bitcoind, funds, target):
    stored = draft(BITCOIN, target, AMOUNT)
    with bitcoind.away():
        pass
    bitcoind.fault = lambda method: -32603 if method == "lockunspent" else ""
    with pytest.raises(NodeRejected, match="error -32603"):
        draft(BITCOIN, target, AMOUNT, [stored.raw])


def test_a_wallet_that_holds_too_little_is_out_of_funds(bitcoind, funds, target):
    with pytest.raises(OutOfFunds, match="cannot pay this: Insufficient funds"):
        draft(BITCOIN, target, Base(400_000_000))


def test_another_wallet_error_is_not_reported_as_a_lack_of_funds(bitcoind, funds, target):
    bitcoind.fault = lambda method: -4 if method == "walletcreatefundedpsbt" else ""
    with pytest.raises(NodeRejected, match="cannot pay this: error -4") as refusal:
        draft(BITCOIN, target, AMOUNT)
    assert not isinstance(refusal.value, OutOfFunds)


def test_an_unexpected_error_while_drafting_is_raised(bitcoind, funds, target):
    bitcoind.fault = lambda method: -32603 if method == "walletcreatefundedpsbt" else ""
    with pytest.raises(NodeRejected, match="refuses: error -32603"):
        draft(BITCOIN, target, AMOUNT)


def test_a_draft_that_pays_another_address_is_refused_and_its_coins_are_unlocked(bitcoind, funds, target):
    other = bitcoind.buyers.getnewaddress()
    usual = bitcoind.answer

    def pay_other(wallet, method, params):
        if method == "walletcreatefundedpsbt":
            params = [params[0], [{other: "0.3"}], *params[2:]]
        return usual(wallet, method, params)

    bitcoind.answer = pay_other
    with pytest.raises(NodeRejected, match=f"does not pay 0.30000000 BTC to {target}"):
        draft(BITCOIN, target, AMOUNT)
    assert funds.wallet.locked == set()


def test_the_coins_of_a_draft_that_cannot_be_signed_are_unlocked(bitcoind, funds, target):
    bitcoind.fault = lambda method: -32603 if method == "walletprocesspsbt" else ""
    with pytest.raises(NodeRejected):
        draft(BITCOIN, target, AMOUNT)
    assert funds.wallet.locked == set()


def test_the_coins_of_a_released_draft_are_unlocked(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    release(BITCOIN, made.psbt)
    assert funds.wallet.locked == set()
    release(BITCOIN, made.psbt)


# --- signed by staff ---


def test_a_watch_only_wallet_makes_an_unsigned_draft_with_change_to_itself(bitcoind, watched, target):
    made = draft(BITCOIN, target, AMOUNT)

    assert (made.raw, made.txid) == ("", bitcoind.node.decodepsbt(made.psbt)["tx"]["txid"])
    assert "change of a payout" in bitcoind.wallet("watched").labels.values()
    assert coins_of(made.psbt) == []


def test_a_transaction_that_staff_signed_can_be_sent(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    signed_psbt = watched.walletprocesspsbt(offered.psbt)["psbt"]

    ready = signed_by_staff(BITCOIN, offered.psbt, signed_psbt, target, AMOUNT)

    assert (ready.txid, ready.fee_base) == (offered.txid, offered.fee_base)
    assert broadcast(BITCOIN, ready.raw, ready.txid).status == "sent"
    assert ready.txid in bitcoind.chain.mempool


def test_a_transaction_without_signatures_is_refused(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    with pytest.raises(NodeRejected, match="Signatures are missing"):
        signed_by_staff(BITCOIN, offered.psbt, offered.psbt, target, AMOUNT)


def test_a_signed_transaction_other_than_the_offered_one_is_refused(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    release(BITCOIN, offered.psbt)
    other = watched.walletprocesspsbt(draft(BITCOIN, target, Base(40_000_000)).psbt)["psbt"]
    with pytest.raises(NodeRejected, match="another transaction, not the one that was offered"):
        signed_by_staff(BITCOIN, offered.psbt, other, target, AMOUNT)


def test_a_signed_transaction_that_does_not_pay_the_payouts_amount_is_refused(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    signed_psbt = watched.walletprocesspsbt(offered.psbt)["psbt"]
    with pytest.raises(NodeRejected, match=r"does not pay 0.30000001 BTC"):
        signed_by_staff(BITCOIN, offered.psbt, signed_psbt, target, Base(AMOUNT + 1))


def test_a_file_that_is_no_psbt_is_refused(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    with pytest.raises(NodeRejected, match="not a PSBT"):
        signed_by_staff(BITCOIN, offered.psbt, "a letter", target, AMOUNT)


def test_a_payout_that_staff_broadcast_themselves_is_recognised(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    assert not is_broadcast(BITCOIN, offered.psbt)

    final = bitcoind.node.finalizepsbt(watched.walletprocesspsbt(offered.psbt)["psbt"])["hex"]
    bitcoind.node.sendrawtransaction(final)

    assert is_broadcast(BITCOIN, offered.psbt)


# --- sending ---


def test_broadcasting_a_transaction_again_counts_as_sent_and_makes_no_second_one(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    for _ in range(2):
        assert broadcast(BITCOIN, made.raw, made.txid).status == "sent"
    assert list(bitcoind.chain.mempool) == [made.txid]
    bitcoind.mine()
    assert broadcast(BITCOIN, made.raw, made.txid).status == "sent"


def test_a_transaction_whose_outputs_were_spent_since_counts_as_sent(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    broadcast(BITCOIN, made.raw, made.txid)
    bitcoind.mine()
    bitcoind.fault = lambda method: -25 if method == "sendrawtransaction" else ""
    assert broadcast(BITCOIN, made.raw, made.txid).status == "sent"


@pytest.mark.parametrize("code", [-25, -26])
def test_a_transaction_that_the_node_refuses_for_now_waits(bitcoind, funds, target, code):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.fault = lambda method: code if method == "sendrawtransaction" else ""

    outcome = broadcast(BITCOIN, made.raw, made.txid)

    assert (outcome.status, outcome.problem) == ("waits", f"The Bitcoin node does not take it now: error {code}")


def test_an_unexpected_error_while_broadcasting_is_raised(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.fault = lambda method: -32603 if method == "sendrawtransaction" else ""
    with pytest.raises(NodeRejected, match="error -32603"):
        broadcast(BITCOIN, made.raw, made.txid)


def test_a_broadcast_that_timed_out_is_found_sent_at_the_next_try(bitcoind, funds, target, settings):
    made = draft(BITCOIN, target, AMOUNT)
    settings.NODE_TIMEOUT_SECONDS = 1

    def hang_after_sending(method):
        if method == "sendrawtransaction":
            bitcoind.chain.submit(bitcoind.chain.transactions.get(made.txid) or read_transaction(made.raw))
            return "hang"
        return ""

    bitcoind.fault = hang_after_sending
    with pytest.raises(NodeUnavailable, match="in time"):
        broadcast(BITCOIN, made.raw, made.txid)
    bitcoind.fault = ""
    settings.NODE_TIMEOUT_SECONDS = 60

    assert broadcast(BITCOIN, made.raw, made.txid).status == "sent"


def test_a_transaction_never_replaces_another_one_in_the_mempool(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.chain.submit(spend_coin(bitcoind, coin_of(made), fee=1))

    outcome = broadcast(BITCOIN, made.raw, made.txid)

    assert (outcome.status, "in no block yet, spends one of its inputs" in outcome.problem) == ("waits", True)


def test_a_payout_whose_coin_was_spent_elsewhere_fails_only_after_six_blocks(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.mine_without(spend_coin(bitcoind, coin_of(made)))
    seen = []
    for _ in range(FINAL_DEPTH):
        seen.append(broadcast(BITCOIN, made.raw, made.txid))
        bitcoind.mine()

    assert [outcome.status for outcome in seen] == ["waits"] * 5 + ["failed"]
    assert "1 of 6 blocks deep" in seen[0].problem
    assert "can never be sent" in seen[-1].problem


def test_a_payout_whose_coin_is_in_no_block_yet_waits(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.take_back(3)
    for txid in list(bitcoind.chain.mempool):
        bitcoind.chain.forget(txid)

    outcome = broadcast(BITCOIN, made.raw, made.txid)

    assert (outcome.status, "the transaction that creates it is in no block" in outcome.problem) == ("waits", True)


def test_a_payout_whose_coin_was_never_created_fails_only_after_six_blocks(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    parent = coin_of(made)[0]
    bitcoind.take_back(3)
    bitcoind.mine_without(bitcoind.spend({}, instead_of=parent))
    assert broadcast(BITCOIN, made.raw, made.txid).status == "waits"

    bitcoind.mine(5)
    outcome = broadcast(BITCOIN, made.raw, made.txid)

    assert (outcome.status, "was never made" in outcome.problem) == ("failed", True)


def test_a_payout_fails_when_one_of_its_lost_coins_is_lost_for_good(bitcoind, funds, target):
    made = draft(BITCOIN, target, Base(150_000_000))
    first, second = spends(read_transaction(made.raw))
    bitcoind.chain.submit(spend_coin(bitcoind, first))
    bitcoind.mine_without(spend_coin(bitcoind, second))
    for _ in range(5):
        bitcoind.mine_without()

    assert broadcast(BITCOIN, made.raw, made.txid).status == "failed"


def test_broadcasting_to_an_unreachable_node_raises_node_unavailable(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    with bitcoind.away(), pytest.raises(NodeUnavailable):
        broadcast(BITCOIN, made.raw, made.txid)


@pytest.mark.parametrize("method", ["gettransaction", "listsinceblock"])
def test_an_unexpected_error_while_coins_are_checked_is_raised(bitcoind, funds, target, method):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.mine_without(spend_coin(bitcoind, coin_of(made)))
    bitcoind.fault = lambda asked: -32603 if asked == method else ""
    with pytest.raises(NodeRejected, match="error -32603"):
        broadcast(BITCOIN, made.raw, made.txid)


def test_litecoind_is_asked_with_the_arguments_that_its_version_accepts(litecoind, settings):
    settings.LITECOIN_PAYOUT_WALLET = "payouts"
    litecoind.node.createwallet("payouts", load=True)
    wallet = WalletMethods(litecoind.node, litecoind.wallet("payouts"))
    litecoind.pay(wallet.getnewaddress(), 100_000_000)
    litecoind.mine()
    made = draft(LITECOIN, litecoind.buyers.getnewaddress(), AMOUNT)
    litecoind.mine_without(spend_coin(litecoind, coin_of(made), to=litecoind.buyers.getnewaddress()))

    assert "1 of 6 blocks deep" in broadcast(LITECOIN, made.raw, made.txid).problem


# --- what was paid ---


def test_the_outputs_of_each_confirmed_or_waiting_transaction_are_read_by_address(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    broadcast(BITCOIN, made.raw, made.txid)
    lost = draft(BITCOIN, target, AMOUNT)
    broadcast(BITCOIN, lost.raw, lost.txid)
    bitcoind.chain.submit(spend_coin(bitcoind, coin_of(lost)))

    assert paid_by(BITCOIN, [made.txid, lost.txid, "ab" * 32]) == {made.txid: {target: AMOUNT}}


@pytest.mark.parametrize("stored", ["", "zz", "00", "cHNidP8B", "02" * 40])
def test_an_unreadable_transaction_has_no_coins(stored):
    assert coins_of(stored) == []
