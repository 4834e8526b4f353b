from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError

from cryptons.db import atomic, new_id
from cryptons.events.models import Event
from cryptons.money import Minor
from payments.errors import IllegalOverride, NetworkNotOffered, NodeRejected, NodeUnavailable, RateUnavailable
from payments.invoices import opening
from payments.invoices.opening import cancel_invoice, draft_invoice, open_invoice, override_invoice, prepare_offer, prepare_offers
from payments.invoices.settlement import settle
from payments.models import Invoice, Option, Payment, Rate
from payments.networks.base import Destination
from payments.networks.lightning.network import LightningNetwork
from payments.networks.registry import get_network, network_states, offered_networks
from payments.tests.factories import NOW, CursorFactory, InvoiceFactory, OptionFactory, PaymentFactory

pytestmark = pytest.mark.django_db


def opened(offer, price=10_000):
    with atomic():
        return open_invoice(draft_invoice([offer], subject_id=new_id(), label="order_1", price=Minor(price), at=NOW))


def test_an_offer_fixes_the_rate_the_amount_and_the_destination():
    offer = prepare_offer("BTC", Minor(6_500), label="order_1", at=NOW)
    assert (offer.due_base, offer.minor_per_coin, offer.rate_sources) == (100_000, Decimal(6_500_000), {"fixed": "65000.00"})
    assert offer.destination.startswith("bcrt1q")
    assert offer.expires_at == NOW + timedelta(minutes=15)


def test_opening_an_invoice_writes_the_invoice_its_option_and_an_event():
    invoice = opened(prepare_offer("BTC", Minor(10_000), label="order_1", at=NOW))
    option = Option.objects.get()
    assert (invoice.status, invoice.confirmations_needed, invoice.tolerance_cap_minor) == ("new", 2, 100)
    assert option.invoice_id == invoice.pk
    assert [event.type for event in Event.objects.all()] == ["invoice.new"]


@pytest.mark.parametrize(("currency", "cap", "minor"), [("JPY", "0.50", 0), ("JPY", "1.99", 1), ("USD", "0.005", 0), ("USD", "0.999", 99)])
def test_a_tolerance_cap_finer_than_the_currency_is_rounded_down(settings, currency, cap, minor):
    settings.CURRENCY, settings.PAYMENT_TOLERANCE_CAP = currency, Decimal(cap)
    assert opened(prepare_offer("BTC", Minor(10_000), label="order_1", at=NOW)).tolerance_cap_minor == minor


def test_a_destination_cannot_be_used_for_two_invoices():
    offer = prepare_offer("BTC", Minor(10_000), label="order_1", at=NOW)
    opened(offer)
    with pytest.raises(IntegrityError):
        opened(offer)


@pytest.mark.django_db(transaction=True)
def test_a_wallet_that_only_repeats_addresses_is_refused(monkeypatch):
    used = OptionFactory()

    class Repeating:
        def open_destination(self, request):
            from payments.networks.base import Destination

            return Destination(used.destination)

    monkeypatch.setattr("payments.invoices.opening.get_network", lambda code: Repeating())
    with pytest.raises(NodeUnavailable):
        prepare_offer("BTC", Minor(10_000), label="order_1", at=NOW)


def test_an_unknown_network_is_not_offered():
    with pytest.raises(NetworkNotOffered):
        prepare_offer("DOGE", Minor(10_000), label="order_1", at=NOW)


def test_no_network_is_offered_without_a_node_or_the_sandbox(settings):
    settings.SANDBOX = False
    with pytest.raises(NetworkNotOffered):
        prepare_offer("BTC", Minor(10_000), label="order_1", at=NOW)


@pytest.mark.parametrize(("node", "other"), [("BITCOIN_RPC_HOST", "LTC"), ("LITECOIN_RPC_HOST", "BTC"), ("LITECOIN_RPC_HOST", "XRP")])
def test_a_real_node_for_one_network_ends_the_sandbox_for_all(settings, node, other):
    setattr(settings, node, "127.0.0.1")
    with pytest.raises(NetworkNotOffered):
        prepare_offer(other, Minor(10_000), label="order_1", at=NOW)


def test_only_networks_with_a_configured_node_are_offered(settings):
    settings.LITECOIN_RPC_HOST = "127.0.0.1"
    assert offered_networks() == ("LTC",)
    settings.BITCOIN_RPC_HOST = "127.0.0.1"
    assert offered_networks() == ("BTC", "LTC")
    assert [state.name for state in network_states()] == ["Bitcoin", "Litecoin"]


def answer_as_lnd(monkeypatch, answer):
    monkeypatch.setattr(LightningNetwork, "open_destination", answer)
    monkeypatch.setattr(opening, "offered_networks", lambda: ("BTC", "BTC-LN"))
    monkeypatch.setattr(opening, "get_network", lambda code: LightningNetwork() if code == "BTC-LN" else get_network(code))


def test_a_bitcoin_offer_includes_lightning_for_the_same_amount(monkeypatch):
    answer_as_lnd(monkeypatch, lambda self, request: Destination("ab" * 32, f"lnbc{request.amount_base}"))
    chain, lightning = prepare_offers("BTC", Minor(10_001), label="order_1", at=NOW)
    assert lightning.due_base == chain.due_base * 1000
    assert lightning.payment_request == f"lnbc{chain.due_base * 1000}"
    assert lightning.minor_per_coin == chain.minor_per_coin


@pytest.mark.parametrize("error", [NodeUnavailable("hung"), NodeRejected("macaroon")])
def test_a_bitcoin_offer_is_on_chain_only_when_lnd_fails(monkeypatch, error):
    def fail(self, request):
        raise error

    answer_as_lnd(monkeypatch, fail)
    assert [offer.network for offer in prepare_offers("BTC", Minor(10_000), label="order_1", at=NOW)] == ["BTC"]


def test_an_lnd_that_is_failing_is_not_asked_for_an_offer(monkeypatch):
    answer_as_lnd(monkeypatch, lambda self, request: pytest.fail("It was asked."))
    CursorFactory(network="BTC-LN", failing_since=NOW)
    assert [offer.network for offer in prepare_offers("BTC", Minor(10_000), label="order_1", at=NOW)] == ["BTC"]


def test_an_offer_in_another_coin_has_no_lightning(monkeypatch):
    answer_as_lnd(monkeypatch, lambda self, request: pytest.fail("It was asked."))
    assert [offer.network for offer in prepare_offers("LTC", Minor(10_000), label="order_1", at=NOW)] == ["LTC"]


def test_no_offer_is_made_without_a_fresh_rate(settings):
    settings.FIXED_RATES = {}
    Rate.objects.create(coin="BTC", currency="USD", minor_per_coin=Decimal(5_000_000), quoted_at=NOW - timedelta(minutes=11))
    with pytest.raises(RateUnavailable):
        prepare_offer("BTC", Minor(10_000), label="order_1", at=NOW)


def test_an_unpaid_invoice_can_be_cancelled():
    invoice = InvoiceFactory()
    with atomic():
        cancel_invoice(invoice.pk, actor="buyer", reason="changed my mind", at=NOW)
    invoice.refresh_from_db()
    assert (invoice.status, Event.objects.get().data["reason"]) == ("cancelled", "changed my mind")


def test_cancelling_an_invoice_twice_is_recorded_once():
    invoice = InvoiceFactory()
    for _ in range(2):
        with atomic():
            cancel_invoice(invoice.pk, actor="buyer", reason="changed my mind", at=NOW)
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_invoice_with_money_cannot_be_cancelled():
    payment = PaymentFactory()
    with pytest.raises(IllegalOverride), atomic():
        cancel_invoice(payment.invoice_id, actor="buyer", reason="changed my mind", at=NOW)
    assert Invoice.objects.get().status == "new"


def test_a_cancelled_invoice_stays_cancelled_after_its_expiry():
    invoice = InvoiceFactory()
    with atomic():
        cancel_invoice(invoice.pk, actor="buyer", reason="x", at=NOW)
    assert settle(invoice.pk, at=NOW + timedelta(days=1)).status == "cancelled"


def test_an_override_needs_a_name_and_a_reason():
    invoice = InvoiceFactory()
    for actor, reason in (("", "paid in cash"), ("staff", " ")):
        with pytest.raises(IllegalOverride), atomic():
            override_invoice(invoice.pk, "settled", actor=actor, reason=reason, at=NOW)


def test_staff_can_settle_an_invoice_manually():
    invoice = InvoiceFactory()
    with atomic():
        override_invoice(invoice.pk, "settled", actor="staff", reason="paid in cash", at=NOW)
    invoice.refresh_from_db()
    event = Event.objects.get()
    assert (invoice.status, invoice.flags) == ("settled", {"manual"})
    assert (event.actor, event.data["reason"]) == ("staff", "paid in cash")


@pytest.mark.parametrize("mark", ["settled", "invalid"])
def test_an_override_evaluates_the_facts_that_were_not_evaluated_yet(mark):
    """An override clears `needs_settling`, so the sweep would not evaluate them later."""
    payment = PaymentFactory(is_present=False)
    Invoice.objects.update(needs_settling=True, paid_seen_minor=10_000)
    with atomic():
        override_invoice(payment.invoice_id, mark, actor="staff", reason="so be it", at=NOW)
    invoice = Invoice.objects.get()
    assert (Payment.objects.get().status, invoice.paid_seen_minor, invoice.needs_settling) == ("gone", 0, False)
