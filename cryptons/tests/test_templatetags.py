import pytest

from cryptons.context import site
from cryptons.templatetags.groups import in_groups
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


def test_an_address_in_groups_is_copied_whole():
    assert in_groups("bc1qabcdef") == '<span class="group">bc1q</span><span class="group">abcd</span><span class="group">ef</span>'


def test_what_is_grouped_cannot_bring_tags():
    assert in_groups("<b>x", 9) == '<span class="group">&lt;b&gt;x</span>'


def test_who_brings_no_session_cookie_has_no_session(rf, settings):
    newcomer, regular = rf.get("/"), rf.get("/")
    regular.COOKIES[settings.SESSION_COOKIE_NAME] = "x"

    assert not site(newcomer)["has_session"]
    assert site(regular)["has_session"]
