"""What each network's own records say came in. Those of bitcoind and litecoind are read in tests/stack, from real ones."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cryptons.coins import BITCOIN
from payments.errors import HistoryTooShort, NodeRejected
from payments.networks.base import NodeRecord
from payments.networks.lightning import history as lightning_history
from payments.networks.lightning.lnd.lightning_pb2 import Invoice
from payments.networks.lightning.network import LightningNetwork
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401
from payments.networks.sandbox.network import SandboxNetwork, mine_block, receive
from payments.networks.xrp.network import XrpNetwork
from payments.tests.factories import NOW
from tests.fake_rippled import SHOP, FakeRippled

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def xrpl(settings):
    fake = FakeRippled()
    fake.start()
    settings.XRP_URL, settings.XRP_ADDRESS = fake.url, SHOP
    yield fake
    fake.stop()


# --- Lightning ------------------------------------------------------------------------------------------------------------


def paid(lnd, number, *, made, settled, value_msat=1_000):
    payment_hash = f"{number:064x}"
    lnd.add(payment_hash, at=made, value_msat=value_msat)
    if settled:
        lnd.pay(payment_hash, settled)
    return payment_hash


def told(since, until):
    return sorted(entry.reference[-2:] for entry in LightningNetwork().records(since, until))


def test_the_records_of_lnd_include_every_settled_invoice(lnd):
    payment_hash = paid(lnd, 1, made=NOW, settled=NOW + HOUR, value_msat=123_456)
    assert list(LightningNetwork().records(NOW, NOW + DAY)) == [
        NodeRecord(payment_hash, payment_hash, 123_456, NOW + HOUR, is_confirmed=True)
    ]


def test_the_records_of_lnd_are_selected_by_the_time_of_payment(lnd):
    paid(lnd, 1, made=NOW - 2 * DAY, settled=NOW - DAY)
    paid(lnd, 2, made=NOW - DAY, settled=NOW)
    paid(lnd, 3, made=NOW, settled=NOW + HOUR)
    paid(lnd, 4, made=NOW, settled=None)
    paid(lnd, 5, made=NOW, settled=NOW + DAY)
    lnd.invoices[paid(lnd, 6, made=NOW, settled=NOW)].state = Invoice.CANCELED

    assert told(NOW, NOW + DAY) == ["02", "03"]


def test_the_invoices_of_lnd_are_read_in_pages_only_as_far_back_as_they_can_be_open(lnd, monkeypatch):
    monkeypatch.setattr(lightning_history, "PAGE", 2)
    for number in range(20):
        made = NOW - number * DAY
        lnd.add(f"{20 - number:064x}", at=made)
    lnd.invoices = dict(sorted(lnd.invoices.items()))
    for index, invoice in enumerate(lnd.invoices.values(), start=1):
        invoice.add_index = index
    for payment_hash in lnd.invoices:
        lnd.pay(payment_hash, NOW)

    assert told(NOW, NOW + DAY) == ["11", "12", "13", "14"]
    assert lnd.asked.count("ListInvoices") == 2


def test_an_lnd_without_invoices_has_no_records(lnd):
    assert told(NOW, NOW + DAY) == []


def test_records_that_lnd_refuses_to_list_are_rejected(lnd, settings):
    settings.LND_MACAROON = "00" * 32
    with pytest.raises(NodeRejected, match="LND_MACAROON"):
        LightningNetwork().records(NOW, NOW + DAY)


# --- XRP ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_the_records_of_xrp_include_every_successful_payment_to_the_account(xrpl, version):
    xrpl.speaks = version
    first, second = xrpl.pay(SHOP, 5_000_000, tag=7), xrpl.pay(SHOP, 6_000_000)
    xrpl.pay(SHOP, 7_000_000, tag=8, result="tecPATH_DRY")
    now = timezone.now()

    entries = {entry.reference: entry for entry in XrpNetwork().records(now - timedelta(minutes=5), now + HOUR)}

    assert set(entries) == {first, second}
    assert (entries[first].destination, entries[first].amount_base, entries[first].height) == (f"{SHOP}?dt=7", 5_000_000, 1001)
    assert (entries[second].destination, entries[second].is_confirmed) == (SHOP, True)


def test_the_records_of_xrp_are_limited_to_the_period(xrpl):
    hashes = [xrpl.pay(SHOP, 1_000_000, tag=tag) for tag in (1, 2, 3)]
    closed = [xrpl.closed[ledger] for ledger in (1001, 1002, 1003)]
    assert [entry.reference for entry in XrpNetwork().records(closed[1], closed[2])] == [hashes[1]]


def test_an_xrp_server_with_too_short_a_history_says_when_it_begins(xrpl):
    with pytest.raises(HistoryTooShort, match="no longer has the ledgers") as refusal:
        XrpNetwork().records(timezone.now() - DAY, timezone.now())
    assert refusal.value.begins_at == xrpl.closed[801] + timedelta(minutes=1)
    assert XrpNetwork().records(refusal.value.begins_at, timezone.now()) == []


# --- The sandbox ----------------------------------------------------------------------------------------------------------


def test_the_records_of_the_sandbox_include_only_payments_that_were_not_double_spent():
    waiting = receive("BTC", "a", 1, at=NOW)
    mined = receive("BTC", "b", 2, at=NOW + HOUR)
    receive("LTC", "c", 3, at=NOW)
    receive("BTC", "d", 4, at=NOW + DAY)
    gone = receive("BTC", "e", 5, at=NOW)
    gone.is_conflicted = True
    gone.save()
    mined.mine_after = NOW
    mined.save()
    waiting.mine_after = NOW + 2 * DAY
    waiting.save()
    mine_block("BTC", NOW + HOUR)

    assert {
        entry.destination: (entry.amount_base, entry.is_confirmed, entry.height)
        for entry in SandboxNetwork(BITCOIN).records(NOW, NOW + DAY)
    } == {
        "a": (1, False, None),
        "b": (2, True, 101),
    }
