"""Turn a page's Markdown into HTML for the shop: HTML in the text is shown as text, and no address in it runs a script."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

SCHEMES = ("http", "https", "mailto", "tel")
TOP = 2
"""The level of a page's first headings: the title is the only `<h1>`."""
FOREIGN = "nofollow noopener"


def to_html(text: str) -> SafeString:
    return mark_safe(str(_parser().render(text)))  # noqa: S308  (the parser writes all of its tags, and escapes what is between)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
    parser.validateLink = _is_safe  # type: ignore[method-assign, assignment]
    parser.core.ruler.push("headings", _order_headings)
    for name, rule in (("link_open", _link), ("image", _image), ("table_open", _table), ("table_close", _end_of_table)):
        parser.add_render_rule(name, rule)
    return parser


def _is_safe(address: str) -> bool:
    """Allow some schemes, and addresses without one. What a browser would read otherwise than we do is refused."""
    if re.search(r"[\x00-\x20\\]", address):
        return False
    try:
        urlsplit(address)
    except ValueError:  # brackets around what is no IP address
        return False
    scheme, colon, _rest = address.partition(":")
    return not colon or scheme.lower() in SCHEMES or bool(re.match(r"[^:]*[/?#]", address))


def _is_foreign(address: str) -> bool:
    return bool(urlsplit(address).netloc) and urlsplit(address).netloc != urlsplit(settings.PUBLIC_URL).netloc


def _link(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    if _is_foreign(str(tokens[index].attrGet("href") or "")):
        tokens[index].attrSet("rel", FOREIGN)
    return renderer.renderToken(tokens, index, options, env)


def _image(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Show pictures of the shop's own media or of an https address, as the Content-Security-Policy does; of others their words."""
    address = str(tokens[index].attrGet("src") or "")
    words = renderer.renderInlineAsText(tokens[index].children or [], options, env)
    if not (address.startswith("https://") or (address.startswith(settings.MEDIA_URL) and not _is_foreign(address))):
        return format_html("{}", words)
    return format_html('<img src="{}" alt="{}" loading="lazy">', address, words)


def _table(*_args: Any) -> str:
    """A table that is wider than the screen is scrolled, also with a keyboard."""
    return format_html('<div class="table--scroll" role="region" tabindex="0" aria-label="{}"><table class="table">', _("Table"))


def _end_of_table(*_args: Any) -> str:
    return "</table></div>"


def _order_headings(state: Any) -> None:
    """Let headings begin below the page's title, and leave out no level."""
    opened = [token for token in state.tokens if token.type == "heading_open"]
    least = min((int(token.tag[1]) for token in opened), default=TOP)
    last = TOP - 1
    for token in state.tokens:
        if token.type == "heading_open":
            last = min(int(token.tag[1]) - least + TOP, last + 1, 6)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{last}"
