"""What staff read instead of JSON."""

import pytest

from payments.admin.base import plain_words


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, ""),
        ({"status": "new", "flags": [], "network": "BTC", "reason": "", "override": None}, "status new; network BTC"),
        (
            {"paidSeenMinor": 4199, "paidSafeMinor": 0, "exceptions": ["late", "overpaid"]},
            "paid seen 41.99; paid safe 0.00; exceptions late, overpaid",
        ),
        ({"payments": [{"network": "BTC", "amount": "0.1"}, {"network": "LTC", "amount": ""}]}, "payments BTC 0.1, LTC"),
        ({"Kraken": "65000.00"}, "Kraken 65000.00"),
    ],
)
def test_the_data_of_an_event_is_shown_without_braces_and_empty_values(told, words):
    assert plain_words(told, "USD") == words
