"""What a shop of before is after its migrations: `over` and `partial` are `overpaid` and `underpaid`, and play money is marked."""

from importlib import import_module

import pytest
from django.apps import apps

from cryptons.coins import COINS
from cryptons.db import new_id
from cryptons.events.models import Event, record
from cryptons.money import Base
from payments.models import Invoice, SandboxChain
from payments.networks.base import DestinationRequest
from payments.networks.sandbox.network import SandboxNetwork, receive
from payments.tests.factories import DUE, EXPIRY, NOW, InvoiceFactory, OptionFactory

REQUEST = DestinationRequest(label="order_1", amount_base=Base(DUE), expires_at=EXPIRY)
REAL = [
    ("BTC", "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"),
    ("BTC", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    ("BTC", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"),
    ("XRP", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh?dt=7"),
    ("BTC-LN", "ab" * 32),
]

pytestmark = pytest.mark.django_db

words = import_module("payments.migrations.0008_overpaid_underpaid")


@pytest.fixture
def old_shop(monkeypatch):
    """Three invoices of before, read in pages of two."""
    monkeypatch.setattr(words, "PAGE", 2)
    both = InvoiceFactory(flags={"over", "late", "manual"}, exceptions={"over"})
    part = InvoiceFactory(flags={"partial"}, exceptions={"partial"})
    plain = InvoiceFactory()
    record("invoice.new", both.pk, seq=1, data={"status": "new", "flags": [], "network": "BTC"})
    state = {"status": "settled", "flags": ["late", "manual", "over"], "exceptions": ["over"], "paidSeenMinor": 1}
    record("invoice.settled", both.pk, seq=2, data=state | {"mark": "settled", "reason": "so be it"})
    record("invoice.kept", both.pk, seq=3, data=state)
    record("invoice.put_back", both.pk, seq=4, data=state)
    record("order.underpaid", new_id(), seq=1, data={"flags": ["over"], "mark": ""})
    return both, part, plain


def rows():
    return [
        list(Invoice.objects.order_by("pk").values_list("flags", "exceptions")),
        list(Event.objects.order_by("pk").values_list("type", "data")),
    ]


def test_rows_and_events_say_overpaid_and_underpaid(old_shop):
    words.forwards(apps, None)

    invoices, events = rows()
    assert invoices == [({"overpaid", "late", "manual"}, {"overpaid"}), ({"underpaid"}, {"underpaid"}), (frozenset(), frozenset())]
    state = {"status": "settled", "flags": ["late", "manual", "overpaid"], "exceptions": ["overpaid"], "paidSeenMinor": 1}
    assert events == [
        ("invoice.new", {"status": "new", "flags": [], "network": "BTC"}),
        ("invoice.settled", state | {"override": "settled", "reason": "so be it"}),
        ("invoice.dismissed", state),
        ("invoice.reopened", state),
        ("order.underpaid", {"flags": ["over"], "mark": ""}),
    ]


def test_renaming_the_flags_twice_changes_nothing_more(old_shop):
    words.forwards(apps, None)
    once = rows()
    words.forwards(apps, None)
    assert rows() == once


def test_the_renaming_of_the_flags_can_be_undone(old_shop):
    before = rows()
    words.forwards(apps, None)
    words.backwards(apps, None)
    assert rows() == before


def test_old_invoices_of_the_sandbox_are_marked_and_others_are_not():
    sandbox = import_module("payments.migrations.0013_sandbox")
    SandboxChain.objects.create(network="BTC")
    simulated = {network: SandboxNetwork(COINS[network]).open_destination(REQUEST).text for network in ("BTC", "LTC", "XRP")}
    marked = [OptionFactory(network=network, destination=destination) for network, destination in simulated.items()]
    paid = OptionFactory(destination="1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")
    receive("BTC", paid.destination, Base(DUE), at=NOW)
    for network, destination in REAL:
        OptionFactory(network=network, destination=destination)

    sandbox.mark_invoices_of_the_sandbox(apps, None)

    assert set(Invoice.objects.filter(is_sandbox=True).values_list("pk", flat=True)) == {each.invoice_id for each in (*marked, paid)}


def test_no_invoice_is_marked_where_the_sandbox_never_ran():
    OptionFactory(destination="bcrt1qwrong")
    import_module("payments.migrations.0013_sandbox").mark_invoices_of_the_sandbox(apps, None)
    assert not Invoice.objects.filter(is_sandbox=True).exists()
