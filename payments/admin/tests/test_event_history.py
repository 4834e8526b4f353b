"""What staff read instead of JSON."""

from datetime import UTC, datetime

import pytest
from django.utils.translation import override

from cryptons.db import new_id
from cryptons.events.models import Event, record
from payments.admin.event_history import TITLES, event_list, plain_words
from payments.models import Invoice, Payout


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, ""),
        ({"status": "new", "flags": [], "network": "BTC", "reason": "", "override": None}, "status New; network BTC"),
        (
            {"paidSeenMinor": 4199, "paidSafeMinor": 0, "exceptions": ["late", "double_spent"]},
            "received $41.99; confirmed $0.00; exceptions late, double spent",
        ),
        (
            {"payments": [{"network": "BTC", "amount": "0.1", "status": "seen"}, {"network": "LTC", "amount": ""}]},
            "payments BTC 0.1 Seen, LTC",
        ),
        ({"somethingElse": "65000.00"}, "somethingElse 65000.00"),
    ],
)
def test_the_data_of_an_event_is_shown_without_braces_and_empty_values(data, words):
    assert plain_words(data, "USD") == words


def test_amounts_are_written_as_the_language_writes_them():
    data = {"paidSeenMinor": 4199, "payments": [{"amount": "0.1"}]}
    with override("de"):
        words = plain_words(data, "USD")
    assert "41,99\xa0$" in words
    assert "0,1" in words
    assert "." not in words


def test_each_status_of_an_invoice_and_of_a_payout_has_a_title():
    types = {*(f"invoice.{status}" for status in Invoice.Status), *(f"payout.{status}" for status in Payout.Status)}
    assert types <= TITLES.keys()


@pytest.mark.django_db
def test_events_are_listed_with_titles_and_times_of_the_shop(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    subject_id = new_id()
    record("payout.agreed", subject_id, seq=1, actor="grace", data={"reason": "<late>"})
    Event.objects.update(created_at=datetime(2026, 11, 26, 12, 30, tzinfo=UTC))

    html = event_list(subject_id, lambda event: event.data["reason"])

    assert "26 Nov 2026, 13:30 CET" in html
    assert "<strong>Approved by the first of two people</strong> grace<br>&lt;late&gt;" in html
