"""Money that a bitcoind told of and that goes again: replaced, double-spent, dropped, taken back by a reorg."""

import pytest
from django.utils import timezone

from payments.errors import NodeRejected
from payments.networks.base import CursorState, KnownPayment
from payments.networks.bitcoin.tests.test_network import FROM_THE_BEGINNING, PRICE, fact_of, facts, open_address, reference_of
from tests.fake_bitcoind.chain import signed, unsigned


@pytest.fixture
def address(network):
    return open_address(network)


def test_a_replaced_payment_is_gone_and_conflicted_and_its_replacement_counts(network, bitcoind, address):
    first = bitcoind.pay(address, PRICE)
    second = bitcoind.replace(first, {address: PRICE})

    assert (fact_of(network, first).is_present, fact_of(network, first).is_conflicted) == (False, True)
    assert fact_of(network, second).is_present


def test_a_double_spent_payment_is_gone(network, bitcoind, address):
    """Once a block holds the other transaction, the wallet gives the lost one a negative depth and lists none of its outputs."""
    txid = bitcoind.pay(address, PRICE)
    booked = reference_of(network, txid)
    bitcoind.mine_without(bitcoind.spend({}, instead_of=txid))

    fact = facts(network, unsettled=[booked])[booked]

    assert (fact.is_present, fact.is_conflicted, fact.height) == (False, True, None)
    assert booked not in facts(network)


def test_a_double_spent_payment_is_gone_even_when_the_node_still_lists_its_outputs(network, bitcoind, address):
    txid = bitcoind.pay(address, PRICE)
    booked = reference_of(network, txid)
    bitcoind.mine_without(bitcoind.spend({}, instead_of=txid))
    bitcoind.wallet("shop").tells_void_outputs = True

    page = network.facts_since(FROM_THE_BEGINNING, {booked: KnownPayment(address, "", timezone.now())})

    (fact,) = page.facts
    assert (fact.reference, fact.is_present, fact.is_conflicted, fact.height, fact.block_hash) == (booked, False, True, None, "")
    assert page.unread == ()


def test_a_payment_whose_parent_was_double_spent_is_gone(network, bitcoind, address):
    bitcoind.mine(30)
    parent = bitcoind.pay(open_address(network, "of the buyer's own"), 100_000_000)
    change = next(
        (parent, vout)
        for vout, output in enumerate(bitcoind.chain.transactions[parent].vout)
        if bytes(output.scriptPubKey) in bitcoind.buyers.wallet.scripts
    )
    child = bitcoind.chain.submit(signed(unsigned([change], [(bitcoind.chain.script(address), PRICE)]), [0]))
    booked = reference_of(network, child)
    bitcoind.mine_without(bitcoind.spend({}, instead_of=parent))

    fact = facts(network, unsettled=[booked])[booked]

    assert (fact.is_present, fact.is_conflicted) == (False, True)


@pytest.mark.parametrize("is_mined", [False, True], ids=["in the mempool", "in a block"])
def test_a_payment_whose_parent_was_replaced_is_gone_and_double_spent(network, bitcoind, address, is_mined):
    """The wallet does not know the parent, and so sees no conflict."""
    parent = bitcoind.chain.submit(bitcoind.spend({}))
    child = bitcoind.chain.submit(signed(unsigned([(parent, 0)], [(bitcoind.chain.script(address), PRICE)]), [0]))
    booked = reference_of(network, child)
    bitcoind.replace(parent, {})
    if is_mined:
        bitcoind.mine(2)

    fact = facts(network, unsettled=[booked])[booked]

    assert (fact.is_present, fact.is_conflicted) == (False, True)


def test_a_dropped_payment_whose_coins_are_still_there_is_not_double_spent(network, bitcoind, address):
    txid = bitcoind.pay(address, PRICE)
    booked = reference_of(network, txid)
    bitcoind.chain.forget(txid)

    fact = facts(network, unsettled=[booked])[booked]

    assert (fact.is_present, fact.is_conflicted) == (False, False)


def test_a_payment_that_the_mempool_dropped_is_gone_without_a_conflict(network, bitcoind, address):
    txid = bitcoind.pay(address, PRICE)
    bitcoind.chain.forget(txid)

    fact = fact_of(network, txid)

    assert (fact.is_present, fact.is_conflicted) == (False, False)


def test_a_payment_whose_block_was_reorganised_away_is_unconfirmed_again(network, bitcoind, address):
    txid = bitcoind.pay(address, PRICE)
    bitcoind.mine()
    cursor = CursorState(bitcoind.chain.tip.hash)
    booked = reference_of(network, txid)
    bitcoind.take_back()

    fact = fact_of(network, txid, cursor, [booked])

    assert (fact.is_present, fact.height, fact.block_hash) == (True, None, "")


def test_a_payment_that_was_mined_again_has_its_new_block(network, bitcoind, address):
    txid = bitcoind.pay(address, PRICE)
    bitcoind.mine()
    cursor = CursorState(bitcoind.chain.tip.hash)
    booked = reference_of(network, txid)
    bitcoind.take_back()
    block = bitcoind.mine()

    fact = fact_of(network, txid, cursor, [booked])

    assert (fact.is_present, fact.height, fact.block_hash) == (True, 151, block.hash)


def test_a_payment_that_a_reorg_invalidated_is_gone_although_the_listing_omits_it(network, bitcoind, address):
    txid = bitcoind.pay(address, PRICE)
    bitcoind.mine()
    booked = reference_of(network, txid)
    cursor = CursorState(bitcoind.chain.active[-2].hash)
    bitcoind.take_back()
    bitcoind.mine_without(bitcoind.spend({}, instead_of=txid))

    assert facts(network, cursor) == {}
    fact = facts(network, cursor, [booked])[booked]

    assert (fact.is_present, fact.is_conflicted) == (False, True)


def test_a_stored_payment_is_looked_up_when_the_listing_omits_it(network, bitcoind, address):
    txid = bitcoind.pay(address, PRICE)
    booked = reference_of(network, txid)
    bitcoind.mine(20)

    assert facts(network, CursorState(bitcoind.chain.active[-3].hash), [booked])[booked].height == 151


@pytest.fixture
def unknown(address):
    """A payment that the wallet does not know, as the shop has it."""
    return {f"{'ab' * 32}:0": KnownPayment(address, "", timezone.now())}


def test_a_payment_that_the_wallet_of_its_address_does_not_know_is_gone(network, bitcoind, unknown):
    (fact,) = facts(network, unsettled=unknown).values()
    assert (fact.is_present, fact.is_conflicted, fact.destination) == (False, False, "")


def test_a_payment_to_the_address_of_another_wallet_is_not_gone(network, bitcoind, unknown):
    elsewhere = bitcoind.buyers.getnewaddress()
    (booked,) = unknown
    assert facts(network, unsettled={booked: KnownPayment(elsewhere, "", timezone.now())}) == {}


def test_a_payment_whose_block_is_still_in_the_chain_is_not_gone(network, bitcoind, address, unknown):
    (booked,) = unknown
    there = KnownPayment(address, bitcoind.chain.tip.hash, timezone.now())
    assert facts(network, unsettled={booked: there}) == {}


def test_a_payment_that_still_waits_in_the_mempool_is_not_gone(network, bitcoind, address):
    txid = bitcoind.chain.submit(bitcoind.spend({}))
    assert facts(network, unsettled={f"{txid}:0": KnownPayment(address, "", timezone.now())}) == {}


def test_a_payment_from_before_the_wallet_was_created_is_not_gone(network, bitcoind, address, unknown):
    (booked,) = unknown
    bitcoind.wallet("shop").descriptors[0].timestamp = int(timezone.now().timestamp()) + 60
    assert facts(network, unsettled={booked: KnownPayment(address, "", timezone.now())}) == {}


def test_a_node_error_during_the_lookup_of_a_payment_does_not_make_it_gone(network, bitcoind, address):
    bitcoind.fault = lambda method: -32603 if method == "gettransaction" else ""
    with pytest.raises(NodeRejected, match="error -32603"):
        facts(network, unsettled=[f"{'ab' * 32}:0"])


def test_a_node_error_during_the_mempool_lookup_does_not_make_a_payment_gone(network, bitcoind, address):
    bitcoind.pay(address, PRICE)
    bitcoind.fault = lambda method: -32603 if method == "getmempoolentry" else ""
    with pytest.raises(NodeRejected, match="error -32603"):
        facts(network)
