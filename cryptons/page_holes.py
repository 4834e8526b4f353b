"""Pages that are the same for everybody, with holes for what is not: the account link, the pieces in the cart, the order to be paid.

What a visitor sees in them comes from a signed cookie, so that filling them takes no query and no template.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import escape

COOKIE = "visitor"
COOKIE_SECONDS = 300
"""The cart may also change on another device, so the cookie is written again after this time."""

CART = b"<!--hole cart-->"
ORDER = b"<!--hole order-->"
NAME = b"<!--name-->"
_HOLES = re.compile(rb"<!--hole cart-->|<!--hole order-->|<!--hole account-->(.*?)<!--or-->(.*?)<!--end-->", re.DOTALL)
"""As templates/base.html writes them. Nothing that people enter can look like one, because templates escape it."""


@dataclass(frozen=True)
class Visitor:
    """What a page shows of its visitor."""

    username: str = ""
    cart_count: int = 0
    has_message: bool = False
    """Whether a message waits in the session. Only Django can show it."""
    open_order: str = ""
    """The number of the newest order that waits for its payment; empty if there is none."""


NOBODY = Visitor()


@cache
def _key(secret: str) -> bytes:
    return hashlib.sha256(f"cryptons.page_holes:{secret}".encode()).digest()


def _signature(text: str, session_key: str) -> str:
    """The session is part of what is signed: the cookie is worth nothing with another one."""
    mac = hmac.digest(_key(settings.SECRET_KEY), f"{session_key}:{text}".encode(), "sha256")
    return base64.urlsafe_b64encode(mac)[:32].decode()


def write_visitor(visitor: Visitor, session_key: str, *, until: int) -> str:
    """Return the cookie's value, good until a time in seconds since 1970."""
    name = base64.urlsafe_b64encode(visitor.username.encode()).rstrip(b"=").decode()
    text = f"{until}.{visitor.cart_count}.{int(visitor.has_message)}.{visitor.open_order}.{name}"
    return f"{text}.{_signature(text, session_key)}"


def read_visitor(value: str, session_key: str, *, at: float) -> Visitor | None:
    """Read the cookie; None if it is missing, old, forged, or of another session."""
    text, _, signature = value.rpartition(".")
    if not text or not hmac.compare_digest(signature.encode(), _signature(text, session_key).encode()):
        return None
    try:
        until, count, has_message, open_order, name = text.split(".")
        username = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
    except (ValueError, binascii.Error):
        return None
    return Visitor(username, int(count), has_message == "1", open_order) if at < int(until) else None


class Page:
    """The bytes of a page around its holes."""

    def __init__(self, body: bytes, language: str) -> None:
        self._language = language
        self._parts: list[bytes | Callable[[Visitor], bytes]] = []
        """Bytes as they are, and what fills the holes between them."""
        end = 0
        for hole in _HOLES.finditer(body):
            self._parts += [body[end : hole.start()], self._filler(hole)]
            end = hole.end()
        self._parts.append(body[end:])
        self.has_holes = end > 0

    def fill(self, visitor: Visitor) -> bytes:
        return b"".join([part if isinstance(part, bytes) else part(visitor) for part in self._parts])

    def _filler(self, hole: re.Match[bytes]) -> Callable[[Visitor], bytes]:
        if hole[0] == CART:
            return lambda visitor: cart_badge(self._language, visitor.cart_count)
        if hole[0] == ORDER:
            return lambda visitor: open_order_strip(self._language, visitor.open_order) if visitor.open_order else b""
        return partial(_account, hole[1], hole[2])


def _account(stranger: bytes, known: bytes, visitor: Visitor) -> bytes:
    """Fill the hole that holds what a stranger and what a person with a login sees."""
    return known.replace(NAME, escape(visitor.username).encode()) if visitor.username else stranger


@lru_cache(4096)
def cart_badge(language: str, count: int) -> bytes:
    """Render the number next to the cart; each number only once."""
    with translation.override(language):
        return render_to_string("parts/cart_count.html", {"count": count}).encode()


@lru_cache(4096)
def open_order_strip(language: str, number: str) -> bytes:
    """Render the link to the order that waits for its payment."""
    with translation.override(language):
        return render_to_string("parts/open_order.html", {"number": number}).encode()
