"""What LND paid to others in a span of time."""

from datetime import UTC, datetime, timedelta

from payments.networks.lightning import history
from payments.networks.lightning.history import Spending, read_payments
from payments.networks.lightning.lnd.lightning_pb2 import Payment
from payments.networks.lightning.rpc import open_lnd
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def spent():
    with open_lnd(within=timedelta(seconds=5)) as conversation:
        return read_payments(conversation, NOON, NOON + DAY)


def test_payments_that_succeeded_or_are_in_flight_are_read_with_their_amounts(lnd):
    sent = lnd.send(NOON, value_msat=5_000)
    under_way = lnd.send(NOON, Payment.IN_FLIGHT)
    lnd.send(NOON, Payment.FAILED)

    assert spent() == {
        sent: Spending(sent, 5_000, NOON, is_settled=True),
        under_way: Spending(under_way, 1_000, NOON, is_settled=False),
    }


def test_the_period_includes_its_start_and_excludes_its_end(lnd):
    lnd.send(NOON - timedelta(milliseconds=1))
    within = [lnd.send(NOON), lnd.send(NOON + DAY - timedelta(milliseconds=1))]
    lnd.send(NOON + DAY)

    assert list(spent()) == within


def test_payments_are_read_in_pages(lnd, monkeypatch):
    monkeypatch.setattr(history, "PAGE_OF_PAYMENTS", 2)
    sent = [lnd.send(NOON) for _ in range(5)]

    assert list(spent()) == sent
    assert lnd.asked.count("ListPayments") == 4
