"""Pages that are the same for everybody, with holes for what is not: the account link and the number of pieces in the cart.

What a visitor sees in them comes from a signed cookie, so that filling them takes no query and no template.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import cache, lru_cache

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import escape

COOKIE = "visitor"
COOKIE_SECONDS = 300
"""The cart may also change on another device, so the cookie is written again after this time."""

CART = b"<!--hole cart-->"
NAME = b"<!--name-->"
_HOLES = re.compile(rb"<!--hole cart-->|<!--hole account-->(.*?)<!--or-->(.*?)<!--end-->", re.DOTALL)
"""As templates/base.html writes them. Nothing that people enter can look like one, because templates escape it."""


@dataclass(frozen=True)
class Visitor:
    """What a page shows of its visitor."""

    username: str = ""
    cart_count: int = 0
    has_message: bool = False
    """Whether a message waits in the session. Only Django can show it."""


NOBODY = Visitor()


@cache
def _key(secret: str) -> bytes:
    return hashlib.sha256(f"cryptons.page_holes:{secret}".encode()).digest()


def _signature(text: str, session_key: str) -> str:
    """The session is part of what is signed: the cookie is worth nothing beside another one."""
    mac = hmac.digest(_key(settings.SECRET_KEY), f"{session_key}:{text}".encode(), "sha256")
    return base64.urlsafe_b64encode(mac)[:32].decode()


def write_visitor(visitor: Visitor, session_key: str, *, until: int) -> str:
    """Return the cookie's value, good until a time in seconds since 1970."""
    name = base64.urlsafe_b64encode(visitor.username.encode()).rstrip(b"=").decode()
    text = f"{until}.{visitor.cart_count}.{int(visitor.has_message)}.{name}"
    return f"{text}.{_signature(text, session_key)}"


def read_visitor(value: str, session_key: str, *, at: float) -> Visitor | None:
    """Read the cookie; None if it is missing, old, forged, or of another session."""
    text, _, signature = value.rpartition(".")
    if not text or not hmac.compare_digest(signature.encode(), _signature(text, session_key).encode()):
        return None
    try:
        until, count, has_message, name = text.split(".")
        username = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
    except (ValueError, binascii.Error):
        return None
    return Visitor(username, int(count), has_message == "1") if at < int(until) else None


class Page:
    """The bytes of a page around its holes."""

    def __init__(self, body: bytes, language: str) -> None:
        self._language = language
        self._parts: list[bytes | tuple[bytes, bytes] | None] = []
        """Bytes as they are; None for the cart; for the account what a stranger and what a person with a login sees."""
        end = 0
        for hole in _HOLES.finditer(body):
            self._parts += [body[end : hole.start()], None if hole[0] == CART else (hole[1], hole[2])]
            end = hole.end()
        self._parts.append(body[end:])
        self.has_holes = end > 0

    def fill(self, visitor: Visitor) -> bytes:
        return b"".join([part if isinstance(part, bytes) else self._fill(part, visitor) for part in self._parts])

    def _fill(self, account: tuple[bytes, bytes] | None, visitor: Visitor) -> bytes:
        if account is None:
            return cart_badge(self._language, visitor.cart_count)
        stranger, known = account
        return known.replace(NAME, escape(visitor.username).encode()) if visitor.username else stranger


@lru_cache(4096)
def cart_badge(language: str, count: int) -> bytes:
    """Render the number beside the cart; each number only once."""
    with translation.override(language):
        return render_to_string("parts/cart_count.html", {"count": count}).encode()
