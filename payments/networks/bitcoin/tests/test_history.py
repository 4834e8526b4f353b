"""What a bitcoind's own records say came in and left, for reconciliation."""

from datetime import UTC, datetime, timedelta

import pytest

from cryptons.coins import BITCOIN
from payments.errors import NodeUnavailable
from payments.networks.base import NodeRecord
from payments.networks.bitcoin.history import read_spending
from payments.networks.bitcoin.tests.test_network import open_address
from payments.networks.bitcoin.wallet import open_wallet
from tests.fake_bitcoind.chain import signed

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def address(network, bitcoind):
    """At noon, on a chain that has a block each hour: what the shop asks for begins at a median of eleven blocks' times."""
    for hours in range(12, 0, -1):
        move_to(bitcoind, NOON - hours * HOUR)
        bitcoind.mine()
    move_to(bitcoind, NOON)
    return open_address(network)


def move_to(bitcoind, moment):
    bitcoind.chain.clock = int(moment.timestamp())


def test_a_payment_in_the_period_is_recorded_with_its_block(network, bitcoind, address):
    move_to(bitcoind, NOON + HOUR)
    txid = bitcoind.pay(address, 1000)
    bitcoind.mine()

    (entry,) = network.records(NOON, NOON + DAY)

    vout = entry.reference.partition(":")[2]
    assert entry == NodeRecord(f"{txid}:{vout}", address, 1000, NOON + HOUR, is_confirmed=True, height=163, label="order_1")


def test_the_period_includes_its_start_and_excludes_its_end(network, bitcoind, address):
    for moment, amount in ((NOON - HOUR, 1000), (NOON, 2000), (NOON + DAY, 3000)):
        move_to(bitcoind, moment)
        bitcoind.pay(address, amount)
        bitcoind.mine()

    assert [entry.amount_base for entry in network.records(NOON, NOON + DAY)] == [2000]


def test_an_unconfirmed_payment_is_recorded_as_not_confirmed(network, bitcoind, address):
    bitcoind.pay(address, 1000)
    (entry,) = network.records(NOON, NOON + DAY)
    assert (entry.is_confirmed, entry.height) == (False, None)


def test_a_replaced_dropped_or_double_spent_payment_is_not_recorded(network, bitcoind, address):
    replaced = bitcoind.pay(address, 1000)
    kept = bitcoind.replace(replaced, {address: 2000})
    bitcoind.mine()
    dropped = bitcoind.pay(address, 3000)
    bitcoind.chain.forget(dropped)
    lost = bitcoind.pay(address, 4000)
    bitcoind.mine_without(bitcoind.spend({}, instead_of=lost))

    assert [entry.reference.partition(":")[0] for entry in network.records(NOON, NOON + DAY)] == [kept]


def test_a_payment_that_the_node_learned_of_late_is_dated_by_its_block(network, bitcoind, address):
    move_to(bitcoind, NOON + 2 * DAY)
    transaction = bitcoind.spend({address: 1000})
    bitcoind.chain.mine(bytes([0, 20, *range(20)]), [transaction], at=int((NOON + HOUR).timestamp()))

    (entry,) = network.records(NOON, NOON + DAY)

    assert entry.received_at == NOON + HOUR


def test_a_coinbase_payment_is_recorded_once_it_is_mature(network, bitcoind, address):
    bitcoind.chain.mine(bitcoind.chain.script(address))
    assert network.records(NOON, NOON + DAY) == []
    bitcoind.mine(100)
    assert [entry.amount_base for entry in network.records(NOON, NOON + DAY)] == [5_000_000_000]


def test_the_listing_begins_a_day_before_the_period(network, bitcoind, address):
    """The timestamps of blocks may be wrong by hours."""
    for hours in range(0, 24 * 10, 2):
        move_to(bitcoind, NOON + hours * HOUR)
        bitcoind.mine()
    bitcoind.asked.clear()

    network.records(NOON + 5 * DAY, NOON + 6 * DAY)

    (since,) = [params[0] for _, method, params in bitcoind.asked if method == "listsinceblock"]
    median = bitcoind.chain.median_time(bitcoind.chain.known[since])
    assert NOON + 4 * DAY - 2 * HOUR <= datetime.fromtimestamp(median, UTC) < NOON + 4 * DAY
    assert bitcoind.methods().count("getblockheader") < 12


def test_a_period_that_begins_before_the_first_block_is_listed_without_a_start(network, bitcoind, address):
    bitcoind.asked.clear()
    network.records(datetime(2009, 1, 3, tzinfo=UTC), NOON)
    assert next(params[0] for _, method, params in bitcoind.asked if method == "listsinceblock") == ""


def test_reading_the_records_of_an_unreachable_node_raises(network, bitcoind, address):
    with bitcoind.away(), pytest.raises(NodeUnavailable):
        network.records(NOON, NOON + DAY)


def test_spending_is_read_by_transaction_and_address(network, bitcoind, address, settings):
    settings.BITCOIN_WALLET = "buyers"
    move_to(bitcoind, NOON + HOUR)
    mined = bitcoind.pay(address, 1000)
    bitcoind.mine()
    waiting = bitcoind.pay(address, 2000)
    move_to(bitcoind, NOON + 2 * DAY)
    bitcoind.pay(address, 3000)

    with open_wallet(BITCOIN) as wallet:
        assert read_spending(wallet, NOON, NOON + DAY) == {mined: {address: 1000}, waiting: {address: 2000}}


def test_two_outputs_to_one_address_are_added_up(network, bitcoind, address, settings):
    settings.BITCOIN_WALLET = "buyers"
    script = bitcoind.chain.script(address)
    psbt, _ = bitcoind.buyers._funded([(script, 1000), (script, 2000)])
    txid = bitcoind.chain.submit(signed(psbt.transaction, range(len(psbt.transaction.vin))))
    with open_wallet(BITCOIN) as wallet:
        assert read_spending(wallet, NOON, NOON + DAY) == {txid: {address: 3000}}
