import pytest

from cryptons.templatetags.money import coin, fiat


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (4_999, "", "$49.99"),
        (123_456_789, "EUR", "€1,234,567.89"),
        (500, "JPY", "¥500"),
        (4_999, "SEK", "49.99\u00a0SEK"),
        (-5, "USD", "\u2212$0.05"),
    ],
)
def test_fiat_is_written_as_people_read_it(amount, currency, expected):
    assert fiat(amount, currency) == expected


def test_coins_keep_all_their_digits():
    assert coin(41_234, "BTC") == "0.00041234"
