from datetime import UTC, datetime

import pytest
from django.template import Context, Template
from django.utils import timezone
from django.utils.translation import override

from cryptons.context import site
from cryptons.templatetags.formats import coin, decimal, fiat, number
from cryptons.templatetags.groups import in_groups


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
def test_fiat_is_formatted_in_english(amount, currency, expected):
    assert fiat(amount, currency) == expected


def test_coin_amounts_keep_all_their_digits():
    assert coin(41_234, "BTC") == "0.00041234"


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (4_999, "", "49,99\u00a0$"),
        (123_456_789, "EUR", "1.234.567,89\u00a0€"),
        (500, "JPY", "500\u00a0¥"),
        (4_999, "SEK", "49,99\u00a0SEK"),
        (-5, "USD", "\u22120,05\u00a0$"),
    ],
)
def test_fiat_is_formatted_in_german(amount, currency, expected):
    with override("de"):
        assert fiat(amount, currency) == expected


def test_numbers_are_formatted_in_the_active_language():
    assert (number(1_234_567), decimal("0.00041234"), number(None)) == ("1,234,567", "0.00041234", "")
    with override("de"):
        assert (number(1_234_567), decimal("0.00041234"), coin(41_234, "BTC")) == ("1.234.567", "0,00041234", "0,00041234")


MOMENT = datetime(2026, 11, 6, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "zone", "expected"),
    [
        ("en", "UTC", "6 November 2026, 09:05 UTC | 6 Nov 2026 | 09:05 UTC"),
        ("de", "UTC", "6. November 2026, 09:05 UTC | 06.11.2026 | 09:05 UTC"),
        ("de", "Europe/Berlin", "6. November 2026, 10:05 MEZ | 06.11.2026 | 10:05 MEZ"),
        ("en", "Asia/Dubai", "6 November 2026, 13:05 GST | 6 Nov 2026 | 13:05 GST"),
    ],
)
def test_times_are_formatted_in_the_active_language_and_time_zone(language, zone, expected):
    page = Template("{% load formats %}{{ at|long_moment }} | {{ at|short_date }} | {{ at|clock }}{{ none|clock }}")
    with override(language), timezone.override(zone):
        assert page.render(Context({"at": MOMENT, "none": None})) == expected


def test_an_address_is_grouped_without_spaces_in_its_text():
    assert in_groups("bc1qabcdef") == '<span class="group">bc1q</span><span class="group">abcd</span><span class="group">ef</span>'


def test_grouped_text_is_escaped():
    assert in_groups("<b>x", 9) == '<span class="group">&lt;b&gt;x</span>'


def test_only_a_request_with_a_session_cookie_has_a_session(rf, settings):
    newcomer, regular = rf.get("/"), rf.get("/")
    regular.COOKIES[settings.SESSION_COOKIE_NAME] = "x"

    assert not site(newcomer)["has_session"]
    assert site(regular)["has_session"]
