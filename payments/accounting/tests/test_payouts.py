"""What LND paid in addition to the shop's payouts. A real one is asked in tests/stack/test_reconcile.py, and so are the chains' wallets."""

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest

from payments.accounting import payouts as payouts_module
from payments.accounting.payouts import reconcile_payouts
from payments.accounting.periods import Period
from payments.networks.lightning import history as lightning_history
from payments.networks.lightning.lnd.lightning_pb2 import Payment
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401
from payments.tests.factories import NOW, PayoutFactory

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERIOD = Period(NOW, NOW + DAY)


@pytest.fixture
def paying(lnd, settings):
    settings.LND_PAYOUT_MACAROON = lnd.macaroon
    return lnd


def told(period=PERIOD, **more):
    return [(each.kind.value, each.network, each.subject) for each in reconcile_payouts(period, **more).differences]


def test_a_lightning_payment_without_a_payout_is_reported(paying):
    payment_hash = paying.send(NOW, value_msat=5_000_123)
    (difference,) = reconcile_payouts(PERIOD).differences
    assert (difference.kind.value, difference.network, difference.subject) == ("sent without a payout", "BTC-LN", payment_hash)
    assert difference.text.startswith("0.00005000123 BTC-LN left LND by a payment that began at 2026-")
    assert not difference.is_note


def test_a_lightning_payment_in_flight_is_reported_and_a_failed_one_is_not(paying):
    flying = paying.send(NOW, Payment.IN_FLIGHT)
    paying.send(NOW, Payment.FAILED)
    (difference,) = reconcile_payouts(PERIOD).differences
    assert difference.subject == flying
    assert "is leaving LND" in difference.text


@pytest.mark.parametrize("status", ["sending", "unknown", "sent"])
def test_a_lightning_payment_of_a_payout_is_not_reported_at_any_status(paying, status):
    PayoutFactory(network="BTC-LN", status=status, reference=paying.send(NOW))
    assert told() == []


def test_a_payout_of_another_network_does_not_explain_a_lightning_payment(paying):
    PayoutFactory(network="BTC", status="sent", reference=paying.send(NOW))
    assert len(told()) == 1


def test_lightning_payments_are_selected_by_their_start_to_the_microsecond(paying):
    instant = timedelta(microseconds=1)
    since, until = NOW + timedelta(seconds=0.5), NOW + DAY + timedelta(seconds=0.5)
    for begun in (since - instant, since, until - instant, until):
        paying.send(begun)
    assert [int(subject, 16) for _, _, subject in told(Period(since, until))] == [2, 3]


def test_lightning_payments_are_read_in_pages_until_the_last(paying, monkeypatch):
    monkeypatch.setattr(lightning_history, "PAGE_OF_PAYMENTS", 2)
    sent = [paying.send(NOW + number * HOUR) for number in range(5)]
    assert [subject for _, _, subject in told()] == sent
    assert paying.asked.count("ListPayments") == 4


def test_lnd_is_not_asked_for_payments_without_a_payout_macaroon(lnd, settings):
    settings.LND_PAYOUT_MACAROON = ""
    lnd.send(NOW)
    assert told() == []
    assert lnd.asked == []


def test_lnd_is_not_asked_when_another_network_is_reconciled(paying):
    paying.send(NOW)
    assert told(network="BTC") == []
    assert paying.asked == []


def test_an_lnd_that_refuses_to_list_payments_is_reported_as_unread(paying, settings):
    settings.LND_PAYOUT_MACAROON = "00" * 32
    report = reconcile_payouts(PERIOD)
    assert report.differences == ()
    assert "LND_PAYOUT_MACAROON" in report.unread["BTC-LN payouts"]


# --- On the chain ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def chain(settings, monkeypatch):
    """A payout wallet that says what it is told to: `paid` by transaction, and `spent` in the period."""
    settings.SANDBOX = False
    settings.BITCOIN_RPC_HOST = "127.0.0.1"
    wallet = SimpleNamespace(paid={}, spent={})
    monkeypatch.setattr(payouts_module.chain_payouts, "paid_by", lambda coin, references: wallet.paid)
    monkeypatch.setattr(payouts_module, "open_payout_wallet", lambda coin: nullcontext())
    monkeypatch.setattr(payouts_module, "read_spending", lambda opened, since, until: wallet.spent)
    return wallet


def sent_on_chain():
    return PayoutFactory(status="sent", reference="ab" * 32, psbt="0200", sent_at=PERIOD.since, destination="bcrt1qhome")


@pytest.mark.parametrize(
    ("paid", "says"),
    [
        ({"ab" * 32: {"bcrt1qhome": 200_000}}, None),
        ({}, "the payout wallet does not have that transaction"),
        ({"ab" * 32: {"bcrt1qhome": 1}}, "its transaction pays 0.00000001 BTC to bcrt1qhome."),
        ({"ab" * 32: {"bcrt1qthief": 200_000}}, "its transaction pays 0.00000000 BTC to bcrt1qhome."),
    ],
)
def test_an_on_chain_payout_is_compared_with_the_outputs_of_its_transaction(chain, paid, says):
    sent_on_chain()
    chain.paid = paid
    texts = [difference.text for difference in reconcile_payouts(PERIOD, network="BTC").differences]
    assert [says in text for text in texts] == ([True] if says else [])
