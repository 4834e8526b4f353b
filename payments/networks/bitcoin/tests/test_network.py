"""What the shop learns from a bitcoind of payments to its addresses."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from cryptons.money import Base
from payments.errors import AnotherChain, NodeRejected, NodeUnavailable
from payments.networks.base import CursorState, DestinationRequest, KnownPayment

PRICE = 50_000_000
FROM_THE_BEGINNING = CursorState()


def open_address(network, label="order_1"):
    request = DestinationRequest(label=label, amount_base=Base(PRICE), expires_at=timezone.now() + timedelta(minutes=15))
    return network.open_destination(request).text


@pytest.fixture
def address(network):
    return open_address(network)


def facts(network, cursor=FROM_THE_BEGINNING, unsettled=()):
    """`unsettled`: references, or what is known of each."""
    known = unsettled if isinstance(unsettled, dict) else dict.fromkeys(unsettled, KnownPayment("", "", timezone.now()))
    return {fact.reference: fact for fact in network.facts_since(cursor, known).facts}


def fact_of(network, txid, cursor=FROM_THE_BEGINNING, unsettled=()):
    (fact,) = [fact for reference, fact in facts(network, cursor, unsettled).items() if reference.startswith(txid)]
    return fact


def reference_of(network, txid):
    return fact_of(network, txid).reference


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


# --- addresses ---


def test_each_order_gets_its_own_address(network, bitcoind):
    addresses = {open_address(network, f"order_{number}") for number in range(5)}

    assert len(addresses) == 5
    assert all(address.startswith("bcrt1q") for address in addresses)
    assert sorted(bitcoind.wallet("shop").labels.values()) == [f"order_{number}" for number in range(5)]


def test_a_node_that_has_headers_without_blocks_gives_no_address(network, bitcoind):
    bitcoind.dialect.fields["headers"] = 151
    with pytest.raises(NodeUnavailable, match="catching up with the chain"):
        open_address(network)


def test_a_node_in_its_initial_download_gives_no_address(network, bitcoind, settings):
    settings.BITCOIN_NETWORK, bitcoind.dialect.chain = "signet", "signet"
    bitcoind.dialect.fields["initialblockdownload"] = True
    with pytest.raises(NodeUnavailable, match="catching up with the chain"):
        open_address(network)


@pytest.mark.parametrize(
    "ask",
    [
        lambda network: network.facts_since(FROM_THE_BEGINNING, {}),
        lambda network: network.lookup(["bcrt1q"]),
        lambda network: network.records(at(0), timezone.now()),
    ],
    ids=["facts", "lookup", "records"],
)
def test_nothing_is_believed_of_a_node_that_verifies_its_chain_again(network, bitcoind, address, ask):
    bitcoind.pay(address, PRICE)
    bitcoind.dialect.fields |= {"blocks": 0, "headers": 150, "initialblockdownload": True}
    with pytest.raises(NodeUnavailable, match="catching up with the chain"):
        ask(network)


def test_a_regtest_node_gives_addresses_during_its_initial_download(network, bitcoind):
    bitcoind.dialect.fields["initialblockdownload"] = True
    assert open_address(network)


@pytest.mark.parametrize("ask", [open_address, facts], ids=["address", "facts"])
def test_a_node_on_another_chain_is_refused(network, bitcoind, ask):
    bitcoind.dialect.chain = "main"
    with pytest.raises(NodeRejected, match="follows the chain 'main', but BITCOIN_NETWORK is 'regtest'"):
        ask(network)


def test_closing_an_address_does_not_ask_the_node(network, bitcoind, address):
    bitcoind.asked.clear()
    network.close_destination(address)
    assert bitcoind.asked == []


# --- from the mempool into a block ---


def test_a_payment_in_the_mempool_is_present_and_in_no_block(network, bitcoind, address):
    bitcoind.chain.clock = 1_780_000_000
    txid = bitcoind.pay(address, PRICE)

    fact = fact_of(network, txid)

    assert (fact.destination, fact.amount_base, fact.first_seen_at) == (address, PRICE, at(1_780_000_000))
    assert (fact.is_present, fact.is_conflicted, fact.is_safe, fact.height, fact.block_hash) == (True, False, False, None, "")


def test_a_mined_payment_has_its_block(network, bitcoind, address):
    txid = bitcoind.pay(address, PRICE)
    block = bitcoind.mine()

    page = network.facts_since(FROM_THE_BEGINNING, {})

    (fact,) = page.facts
    assert fact.reference.startswith(f"{txid}:")
    assert (fact.is_present, fact.height, fact.block_hash, page.tip_height) == (True, 151, block.hash, 151)


def test_a_payment_mined_in_time_while_the_node_was_down_is_dated_by_its_block(network, bitcoind, address):
    """The wallet learns of the payment an hour after its block was made; the block proves when it was there at the latest."""
    mined_at, learned_at = 1_780_000_000, 1_780_003_600
    bitcoind.chain.clock = learned_at
    transaction = bitcoind.spend({address: PRICE})
    bitcoind.chain.mine(bytes([0, 20, *range(20)]), [transaction], at=mined_at)

    (fact,) = facts(network).values()

    assert bitcoind.wallet("shop").heard_at == {bitcoind.chain.tip.transactions[1]: learned_at}
    assert fact.first_seen_at == at(mined_at)


def test_a_block_with_a_fast_clock_does_not_make_a_payment_later(network, bitcoind, address):
    bitcoind.chain.clock = 1_780_000_000
    bitcoind.pay(address, PRICE)
    bitcoind.mine(at=1_780_007_000)

    (fact,) = facts(network).values()

    assert fact.first_seen_at == at(1_780_000_000)


def test_one_transaction_that_pays_two_orders_makes_two_facts(network, bitcoind, address):
    other = open_address(network, "order_2")
    transaction = bitcoind.spend({address: 1000, other: 2000})
    txid = bitcoind.chain.submit(transaction)

    assert {reference: (fact.destination, fact.amount_base) for reference, fact in facts(network).items()} == {
        f"{txid}:0": (address, 1000),
        f"{txid}:1": (other, 2000),
    }


def test_a_payment_that_is_mined_between_two_calls_has_its_block(network, bitcoind, address):
    txid = bitcoind.pay(address, PRICE)

    def mine_first(method):
        if method == "getmempoolentry" and txid in bitcoind.chain.mempool:
            bitcoind.mine()
        return ""

    bitcoind.fault = mine_first
    fact = fact_of(network, txid)

    assert (fact.is_present, fact.height) == (True, 151)


# --- the cursor ---


def test_the_cursor_is_the_newest_block_whose_payments_are_final(network, bitcoind, address, settings):
    settings.CONFIRMATION_TIERS = [(None, 2)]
    page = network.facts_since(FROM_THE_BEGINNING, {})
    assert page.cursor.value == bitcoind.chain.active[-6].hash


def test_payments_below_the_cursor_are_not_reported_again(network, bitcoind, address):
    bitcoind.pay(address, PRICE)
    bitcoind.mine(20)
    page = network.facts_since(FROM_THE_BEGINNING, {})
    young = bitcoind.pay(address, PRICE)

    assert [reference.partition(":")[0] for reference in facts(network, page.cursor)] == [young]


def test_the_cursor_of_the_sandbox_lists_the_wallet_from_its_beginning(network, bitcoind, address):
    bitcoind.pay(address, PRICE)
    bitcoind.mine(20)
    assert len(facts(network, CursorState("the sandbox's"))) == 1


def test_a_node_that_does_not_know_the_cursors_block_is_on_another_chain(network, bitcoind, address):
    bitcoind.pay(address, PRICE)
    with pytest.raises(AnotherChain, match="does not know a block that the shop has stored"):
        facts(network, CursorState("00" * 32))


def test_a_node_that_has_only_begun_to_read_its_chain_is_not_taken_for_one_of_another_chain(network, bitcoind, address):
    bitcoind.dialect.fields["initialblockdownload"] = True
    with pytest.raises(NodeUnavailable, match="catching up with the chain"):
        facts(network, CursorState("00" * 32))


def test_a_node_on_another_chain_gives_no_address(network, bitcoind, address):
    request = DestinationRequest(label="order_2", amount_base=Base(1), expires_at=timezone.now(), known_block="00" * 32)
    with pytest.raises(AnotherChain, match="another chain"):
        network.open_destination(request)


def test_a_refused_listing_without_a_cursor_is_not_repeated(network, bitcoind, address):
    bitcoind.fault = lambda method: -8 if method == "listsinceblock" else ""
    with pytest.raises(NodeRejected, match="refuses: error -8"):
        facts(network)
    assert bitcoind.methods().count("listsinceblock") == 1


def test_an_unexpected_error_of_the_listing_is_raised(network, bitcoind, address):
    bitcoind.fault = lambda method: -32603 if method == "listsinceblock" else ""
    with pytest.raises(NodeRejected, match="refuses: error -32603"):
        facts(network, CursorState("the sandbox's"))


@pytest.mark.parametrize("method", ["listdescriptors", "deriveaddresses"])
def test_a_wallet_that_cannot_derive_an_address_is_recognised_by_one_that_it_issued(network, bitcoind, address, method):
    bitcoind.fault = lambda asked: -5 if asked == method else ""
    cursor = network.facts_since(FROM_THE_BEGINNING, {}).cursor
    (wallet,) = cursor.wallets
    assert "cryptons" in bitcoind.wallet("shop").labels.values()
    assert network.facts_since(cursor, {}).cursor.wallets == (wallet,)


# --- coinbase ---


def test_a_coinbase_payment_counts_once_it_is_mature(network, bitcoind, address):
    block = bitcoind.chain.mine(bitcoind.chain.script(address))
    assert facts(network) == {}
    bitcoind.mine(99)
    assert facts(network) == {}

    bitcoind.mine()

    (fact,) = facts(network).values()
    assert (fact.reference, fact.amount_base, fact.height) == (f"{block.transactions[0]}:0", 5_000_000_000, 151)


def test_a_coinbase_is_remembered_when_the_follower_reads_while_it_is_immature(network, bitcoind, address):
    block = bitcoind.chain.mine(bitcoind.chain.script(address))
    cursor = FROM_THE_BEGINNING
    for _ in range(25):
        cursor = network.facts_since(cursor, {}).cursor
        assert cursor.value == bitcoind.chain.active[min(150, len(bitcoind.chain.active) - 8)].hash
        bitcoind.mine(4)

    page = network.facts_since(cursor, {})

    assert [fact.reference for fact in page.facts] == [f"{block.transactions[0]}:0"]
    assert page.cursor.value != cursor.value


def test_a_coinbase_of_the_wallets_owner_does_not_hold_the_cursor(network, bitcoind, address):
    own = open_address(network, "")
    bitcoind.chain.mine(bitcoind.chain.script(own))
    bitcoind.mine(20)
    assert network.facts_since(FROM_THE_BEGINNING, {}).cursor.value == bitcoind.chain.active[-8].hash


def test_a_coinbase_whose_block_was_reorganised_away_does_not_count(network, bitcoind, address):
    bitcoind.chain.mine(bitcoind.chain.script(address))
    bitcoind.take_back()
    assert facts(network) == {}


# --- what cannot be understood ---


def test_an_unreadable_entry_does_not_hide_the_others(network, bitcoind, address, monkeypatch):
    good, odd = bitcoind.pay(address, PRICE), bitcoind.pay(address, PRICE)
    answer = bitcoind.answer

    def without_an_amount(wallet, method, params):
        result = answer(wallet, method, params)
        if method == "listsinceblock":
            next(entry for entry in result["transactions"] if entry["txid"] == odd).pop("amount")
        return result

    monkeypatch.setattr(bitcoind, "answer", without_an_amount)
    page = network.facts_since(FROM_THE_BEGINNING, {})

    assert [fact.reference.partition(":")[0] for fact in page.facts] == [good]
    assert [reference.partition(":")[0] for reference in page.unread] == [odd]


# --- a person's question ---


def test_a_lookup_of_an_address_returns_its_payments(network, bitcoind, address):
    other = open_address(network, "order_2")
    txid = bitcoind.pay(address, PRICE)
    bitcoind.pay(other, PRICE)
    bitcoind.mine()

    (fact,) = network.lookup([address])

    assert fact.reference.startswith(txid)
    assert (fact.is_present, fact.height) == (True, 151)


def test_a_lookup_reports_a_replaced_payment_as_gone(network, bitcoind, address):
    first = bitcoind.pay(address, PRICE)
    bitcoind.replace(first, {address: PRICE})

    assert sorted(fact.is_present for fact in network.lookup([address])) == [False, True]


def test_an_address_without_payments_has_no_facts(network, address):
    assert network.lookup([address]) == ()


# --- health ---


def test_health_of_a_healthy_node_has_its_figures_and_no_problem(network, bitcoind, address):
    bitcoind.chain.clock = 1_780_000_000
    bitcoind.mine(at=1_780_000_000)
    bitcoind.node.peers = 8

    health = network.health()

    assert (health.problem, health.warning) == ("", "")
    assert (health.height, health.behind, health.peers, health.version) == (151, 0, 8, "Satoshi:29.4.3")
    assert health.tip_at == at(1_780_000_000)
    assert health.wallet == "watch-only, 1 address given out"


def test_health_tells_by_how_much_the_clock_of_the_nodes_machine_is_off(network, bitcoind):
    bitcoind.node.clock_off = -3 * 3600
    off = network.health().clock_off
    assert abs(off + timedelta(hours=3)) < timedelta(minutes=1)


def test_health_of_a_node_that_is_catching_up_is_a_problem(network, bitcoind, address):
    bitcoind.dialect.fields["headers"] = 160
    health = network.health()
    assert ("catching up" in health.problem, health.behind) == (True, 10)


def test_health_of_a_node_without_peers_is_a_warning(network, bitcoind, settings):
    settings.BITCOIN_NETWORK, bitcoind.dialect.chain = "signet", "signet"
    assert "no peers" in network.health().warning
    bitcoind.node.peers = 1
    assert network.health().warning == ""


def test_health_of_an_unreachable_node_is_a_problem(network, bitcoind):
    with bitcoind.away():
        assert "does not answer" in network.health().problem
