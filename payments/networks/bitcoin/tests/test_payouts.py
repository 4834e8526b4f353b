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


@pytest.fixture
def funds(bitcoind, settings):
    """A wallet `payouts` with keys and three coins of 1 BTC."""
    settings.BITCOIN_PAYOUT_WALLET = "payouts"
    bitcoind.node.createwallet("payouts", load=True)
    wallet = WalletMethods(bitcoind.node, bitcoind.wallet("payouts"))
    for _ in range(3):
        bitcoind.pay(wallet.getnewaddress(), 100_000_000)
        bitcoind.mine()
    return wallet


@pytest.fixture
def target(bitcoind):
    return bitcoind.buyers.getnewaddress()


def coin_of(made):
    (coin,) = coins_of(made.raw)
    txid, _, vout = coin.partition(":")
    return txid, int(vout)


def spend_coin(node, coin, *, fee=50_000, to=""):
    """Another transaction of the same coin, to the wallet's own change unless `to` is an address."""
    script = node.chain.script(to) if to else node.wallet("payouts").change_script()
    return signed(unsigned([coin], [(script, node.chain.value(coin) - fee)]), [0])


# --- addresses ---


def test_the_node_says_what_an_address_is(bitcoind, target):
    assert is_address(BITCOIN, target)
    assert not is_address(BITCOIN, "nonsense")
    assert not is_address(BITCOIN, "rltc1qd45w7ytjmzl6c2xqv0w0pk3dd3wqhu5xc7pm6k")


@pytest.mark.parametrize("answer", [{"scriptPubKey": ""}, {"witness_version": 2}], ids=["within MWEB", "a version to come"])
def test_an_address_whose_money_anybody_could_take_is_none(bitcoind, target, answer):
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


def test_a_drafts_coins_are_set_aside(bitcoind, funds, target):
    first, second = draft(BITCOIN, target, AMOUNT), draft(BITCOIN, target, AMOUNT)
    assert coin_of(first) != coin_of(second)
    assert len(funds.wallet.locked) == 2


def test_coins_of_stored_transactions_are_set_aside_again_after_the_nodes_restart(bitcoind, funds, target):
    stored = [draft(BITCOIN, target, AMOUNT) for _ in range(2)]
    with bitcoind.away():
        pass
    assert funds.wallet.locked == set()

    third = draft(BITCOIN, target, AMOUNT, [stored[0].raw, stored[1].psbt])

    assert len({coin_of(made) for made in (*stored, third)}) == 3


def test_a_stored_transaction_whose_coin_is_spent_keeps_no_other_waiting(bitcoind, funds, target):
    stored = draft(BITCOIN, target, AMOUNT)
    with bitcoind.away():
        pass
    bitcoind.mine_without(spend_coin(bitcoind, coin_of(stored)))

    assert draft(BITCOIN, target, AMOUNT, [stored.raw]).raw


def test_another_refusal_to_set_a_coin_aside_stops_the_draft(bitcoind, funds, target):
    stored = draft(BITCOIN, target, AMOUNT)
    with bitcoind.away():
        pass
    bitcoind.fault = lambda method: -32603 if method == "lockunspent" else ""
    with pytest.raises(NodeRejected, match="error -32603"):
        draft(BITCOIN, target, AMOUNT, [stored.raw])


def test_a_wallet_that_holds_too_little_is_out_of_funds(bitcoind, funds, target):
    with pytest.raises(OutOfFunds, match="cannot pay this: Insufficient funds"):
        draft(BITCOIN, target, Base(400_000_000))


def test_another_objection_to_a_draft_is_no_lack_of_funds(bitcoind, funds, target):
    bitcoind.fault = lambda method: -4 if method == "walletcreatefundedpsbt" else ""
    with pytest.raises(NodeRejected, match="cannot pay this: error -4") as refusal:
        draft(BITCOIN, target, AMOUNT)
    assert not isinstance(refusal.value, OutOfFunds)


def test_another_error_of_a_draft_is_passed_on(bitcoind, funds, target):
    bitcoind.fault = lambda method: -32603 if method == "walletcreatefundedpsbt" else ""
    with pytest.raises(NodeRejected, match="refuses: error -32603"):
        draft(BITCOIN, target, AMOUNT)


def test_a_node_that_would_pay_somebody_else_is_refused_and_keeps_no_coin(bitcoind, funds, target):
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


def test_a_draft_that_cannot_be_signed_keeps_no_coin(bitcoind, funds, target):
    bitcoind.fault = lambda method: -32603 if method == "walletprocesspsbt" else ""
    with pytest.raises(NodeRejected):
        draft(BITCOIN, target, AMOUNT)
    assert funds.wallet.locked == set()


def test_a_draft_that_is_given_up_frees_its_coins(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    release(BITCOIN, made.psbt)
    assert funds.wallet.locked == set()
    release(BITCOIN, made.psbt)


# --- signed by staff ---


@pytest.fixture
def watched(bitcoind, settings):
    """The shop's own wallet, which only watches, and the merchant's, which has the keys. One coin of 1 BTC."""
    bitcoind.node.createwallet("merchant")
    merchant = WalletMethods(bitcoind.node, bitcoind.wallet("merchant"))
    settings.BITCOIN_DESCRIPTOR = ""
    settings.BITCOIN_WALLET = "watched"
    bitcoind.node.createwallet("watched", True, True, load=True)
    bitcoind.wallet("watched").watch(merchant.wallet.descriptors[0].text, internal=False, last=99)
    bitcoind.pay(merchant.getnewaddress(), 100_000_000)
    bitcoind.mine()
    return merchant


def test_a_wallet_that_only_watches_makes_an_unsigned_draft_with_change_to_itself(bitcoind, watched, target):
    made = draft(BITCOIN, target, AMOUNT)

    assert (made.raw, made.txid) == ("", bitcoind.node.decodepsbt(made.psbt)["tx"]["txid"])
    assert "change of a payout" in bitcoind.wallet("watched").labels.values()
    assert coins_of(made.psbt) == []


def test_what_staff_signed_is_ready_to_send(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    signed_psbt = watched.walletprocesspsbt(offered.psbt)["psbt"]

    ready = signed_by_staff(BITCOIN, offered.psbt, signed_psbt, target, AMOUNT)

    assert (ready.txid, ready.fee_base) == (offered.txid, offered.fee_base)
    assert broadcast(BITCOIN, ready.raw, ready.txid).status == "sent"
    assert ready.txid in bitcoind.chain.mempool


def test_what_staff_did_not_sign_is_refused(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    with pytest.raises(NodeRejected, match="Signatures are missing"):
        signed_by_staff(BITCOIN, offered.psbt, offered.psbt, target, AMOUNT)


def test_another_transaction_than_the_offered_one_is_refused(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    release(BITCOIN, offered.psbt)
    other = watched.walletprocesspsbt(draft(BITCOIN, target, Base(40_000_000)).psbt)["psbt"]
    with pytest.raises(NodeRejected, match="another transaction, not the one that was offered"):
        signed_by_staff(BITCOIN, offered.psbt, other, target, AMOUNT)


def test_a_transaction_that_pays_another_amount_than_the_payouts_is_refused(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    signed_psbt = watched.walletprocesspsbt(offered.psbt)["psbt"]
    with pytest.raises(NodeRejected, match=r"does not pay 0.30000001 BTC"):
        signed_by_staff(BITCOIN, offered.psbt, signed_psbt, target, Base(AMOUNT + 1))


def test_a_file_that_is_no_psbt_is_refused(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    with pytest.raises(NodeRejected, match="not a PSBT"):
        signed_by_staff(BITCOIN, offered.psbt, "a letter", target, AMOUNT)


def test_what_staffs_own_wallet_sent_is_known(bitcoind, watched, target):
    offered = draft(BITCOIN, target, AMOUNT)
    assert not is_broadcast(BITCOIN, offered.psbt)

    final = bitcoind.node.finalizepsbt(watched.walletprocesspsbt(offered.psbt)["psbt"])["hex"]
    bitcoind.node.sendrawtransaction(final)

    assert is_broadcast(BITCOIN, offered.psbt)


# --- sending ---


def test_a_transaction_is_sent_as_often_as_one_likes_and_is_one(bitcoind, funds, target):
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
def test_a_transaction_that_the_node_does_not_take_now_waits(bitcoind, funds, target, code):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.fault = lambda method: code if method == "sendrawtransaction" else ""

    outcome = broadcast(BITCOIN, made.raw, made.txid)

    assert (outcome.status, outcome.problem) == ("waits", f"The Bitcoin node does not take it now: error {code}")


def test_another_error_of_sending_is_passed_on(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.fault = lambda method: -32603 if method == "sendrawtransaction" else ""
    with pytest.raises(NodeRejected, match="error -32603"):
        broadcast(BITCOIN, made.raw, made.txid)


def test_a_time_out_while_sending_is_no_failure_and_the_next_try_finds_it_sent(bitcoind, funds, target, settings):
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

    assert broadcast(BITCOIN, made.raw, made.txid).status == "sent"


def test_a_transaction_never_takes_the_place_of_one_that_waits(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.chain.submit(spend_coin(bitcoind, coin_of(made), fee=1))

    outcome = broadcast(BITCOIN, made.raw, made.txid)

    assert (outcome.status, "in no block yet, spends one of its inputs" in outcome.problem) == ("waits", True)


def test_a_coin_that_another_spent_is_lost_only_six_blocks_deep(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.mine_without(spend_coin(bitcoind, coin_of(made)))
    seen = []
    for _ in range(FINAL_DEPTH):
        seen.append(broadcast(BITCOIN, made.raw, made.txid))
        bitcoind.mine()

    assert [outcome.status for outcome in seen] == ["waits"] * 5 + ["failed"]
    assert "1 of 6 blocks deep" in seen[0].problem
    assert "can never be sent" in seen[-1].problem


def test_a_coin_that_is_in_no_block_yet_is_waited_for(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.take_back(3)
    for txid in list(bitcoind.chain.mempool):
        bitcoind.chain.forget(txid)

    outcome = broadcast(BITCOIN, made.raw, made.txid)

    assert (outcome.status, "the transaction that creates it is in no block" in outcome.problem) == ("waits", True)


def test_a_coin_that_was_never_made_is_lost_only_six_blocks_deep(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    parent = coin_of(made)[0]
    bitcoind.take_back(3)
    bitcoind.mine_without(bitcoind.spend({}, instead_of=parent))
    assert broadcast(BITCOIN, made.raw, made.txid).status == "waits"

    bitcoind.mine(5)
    outcome = broadcast(BITCOIN, made.raw, made.txid)

    assert (outcome.status, "was never made" in outcome.problem) == ("failed", True)


def test_of_several_lost_coins_the_one_that_is_for_good_decides(bitcoind, funds, target):
    made = draft(BITCOIN, target, Base(150_000_000))
    first, second = spends(read_transaction(made.raw))
    bitcoind.chain.submit(spend_coin(bitcoind, first))
    bitcoind.mine_without(spend_coin(bitcoind, second))
    for _ in range(5):
        bitcoind.mine_without()

    assert broadcast(BITCOIN, made.raw, made.txid).status == "failed"


def test_a_node_that_is_away_says_nothing_of_a_payout(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    with bitcoind.away(), pytest.raises(NodeUnavailable):
        broadcast(BITCOIN, made.raw, made.txid)


@pytest.mark.parametrize("method", ["gettransaction", "listsinceblock"])
def test_an_error_while_the_coins_are_looked_at_is_passed_on(bitcoind, funds, target, method):
    made = draft(BITCOIN, target, AMOUNT)
    bitcoind.mine_without(spend_coin(bitcoind, coin_of(made)))
    bitcoind.fault = lambda asked: -32603 if asked == method else ""
    with pytest.raises(NodeRejected, match="error -32603"):
        broadcast(BITCOIN, made.raw, made.txid)


def test_litecoind_is_asked_for_its_listing_in_the_way_it_knows(litecoind, settings):
    settings.LITECOIN_PAYOUT_WALLET = "payouts"
    litecoind.node.createwallet("payouts", load=True)
    wallet = WalletMethods(litecoind.node, litecoind.wallet("payouts"))
    litecoind.pay(wallet.getnewaddress(), 100_000_000)
    litecoind.mine()
    made = draft(LITECOIN, litecoind.buyers.getnewaddress(), AMOUNT)
    litecoind.mine_without(spend_coin(litecoind, coin_of(made), to=litecoind.buyers.getnewaddress()))

    assert "1 of 6 blocks deep" in broadcast(LITECOIN, made.raw, made.txid).problem


# --- what was paid ---


def test_what_each_transaction_paid_is_told_by_address(bitcoind, funds, target):
    made = draft(BITCOIN, target, AMOUNT)
    broadcast(BITCOIN, made.raw, made.txid)
    lost = draft(BITCOIN, target, AMOUNT)
    broadcast(BITCOIN, lost.raw, lost.txid)
    bitcoind.chain.submit(spend_coin(bitcoind, coin_of(lost)))

    assert paid_by(BITCOIN, [made.txid, lost.txid, "ab" * 32]) == {made.txid: {target: AMOUNT}}


@pytest.mark.parametrize("stored", ["", "zz", "00", "cHNidP8B", "02" * 40])
def test_what_is_no_transaction_spends_no_coins(stored):
    assert coins_of(stored) == []
