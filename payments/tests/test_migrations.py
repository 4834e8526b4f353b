"""A shop made before says `over` and `partial`: its rows and its log say `overpaid` and `underpaid` afterwards."""

from importlib import import_module

import pytest
from django.apps import apps

from cryptons.db import new_id
from cryptons.events.models import Event, record
from payments.models import Invoice
from payments.tests.factories import InvoiceFactory

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
