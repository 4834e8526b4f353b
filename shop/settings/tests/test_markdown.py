"""What a page's text becomes: all of Markdown, and nothing that runs."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.settings.markdown import to_html

PIECES = st.sampled_from(
    [
        *("[a](", "![a](", ")", "<script>", "<a href=", "javascript:", "JaVa\tscript:", "data:text/html,", "&#106;", "\n\n", "> ", "# "),
        *(
            "|a|\n|-|\n",
            "'",
            '"',
            "`",
            "\\",
            "//evil.example",
            "https://x.example/",
            "[a]: ",
            "[a]",
            "<javascript:x>",
            "&colon;",
            "\x01",
            "http://[",
            ":",
            "]/",
        ),
    ]
)
TAGS = set("h2 h3 h4 h5 h6 p br hr a em strong code pre blockquote ul ol li img div table thead tbody tr th td".split())  # noqa: SIM905
ATTRIBUTES = {"href", "title", "rel", "src", "alt", "loading", "class", "role", "tabindex", "aria-label", "start", "style"}


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@given(st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
def test_no_text_becomes_a_script_or_an_address_that_runs_one(text):
    for tag, attributes in Tags(to_html(text)).found:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES
        for address in (attributes.get("href"), attributes.get("src")):
            scheme = re.match(r"\s*([^/?#]*?):", address or "")
            assert scheme is None or scheme[1].lower() in ("http", "https", "mailto", "tel"), address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](/cart/)", '<p><a href="/cart/">a</a></p>\n'),
        ("[a](?q=1:2)", '<p><a href="?q=1:2">a</a></p>\n'),
        ("[a](mailto:ada@example.com)", '<p><a href="mailto:ada@example.com">a</a></p>\n'),
        ("[a](tel:+49301234)", '<p><a href="tel:+49301234">a</a></p>\n'),
        ("[a](https://post.example/)", '<p><a href="https://post.example/" rel="nofollow noopener">a</a></p>\n'),
        ("[a](//post.example/)", '<p><a href="//post.example/" rel="nofollow noopener">a</a></p>\n'),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](data:text/html,hi)", "<p>[a](data:text/html,hi)</p>\n"),
        ("[a](http://[1:2]/)", "<p>[a](http://[1:2]/)</p>\n"),
        ("[a](ftp://files.example/)", "<p>[a](ftp://files.example/)</p>\n"),
        ("<b>a</b>", "<p>&lt;b&gt;a&lt;/b&gt;</p>\n"),
        ("![A cup](/media/cup.webp)", '<p><img src="/media/cup.webp" alt="A cup" loading="lazy"></p>\n'),
        ("![A cup](https://cups.example/1.png)", '<p><img src="https://cups.example/1.png" alt="A cup" loading="lazy"></p>\n'),
        ("![A <cup>](http://cups.example/1.png)", "<p>A &lt;cup&gt;</p>\n"),
        ("![A cup](//cups.example/1.png)", "<p>A cup</p>\n"),
    ],
)
def test_addresses_and_html(text, expected):
    assert to_html(text) == expected


def test_a_link_to_the_shop_itself_is_not_a_foreign_one(settings):
    settings.PUBLIC_URL = "https://shop.example"

    assert to_html("[a](https://shop.example/cart/)") == '<p><a href="https://shop.example/cart/">a</a></p>\n'


@pytest.mark.parametrize(
    ("text", "levels"),
    [("# One\n## Two\n# Three", ["h2", "h3", "h2"]), ("### One\n##### Two", ["h2", "h3"]), ("## One\n# Two", ["h2", "h2"])],
)
def test_headings_begin_below_the_title_and_leave_out_no_level(text, levels):
    assert [tag for tag, _ in Tags(to_html(text)).found] == levels


def test_a_wide_table_is_scrolled_with_a_keyboard_too():
    text = to_html("| To | Price |\n|---|---|\n| Berlin | 4.90 |")

    assert text.startswith('<div class="table--scroll" role="region" tabindex="0" aria-label="Table"><table class="table">')
    assert text.rstrip().endswith("</table></div>")
