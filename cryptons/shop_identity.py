"""Who the shop is, for all that is not about goods: its name on pages and in mails, and what stands below each mail.

What the merchant set in the admin comes first, which the shop's app reads; where nothing is set, the environment's SHOP_NAME counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formataddr, parseaddr
from functools import lru_cache

from django.conf import settings


@dataclass(frozen=True)
class Identity:
    name: str = ""
    """Empty: SHOP_NAME."""
    mail_footer: str = ""
    """In the active language."""


_read: Callable[[], Identity] = Identity


def register(read: Callable[[], Identity]) -> None:
    """Set what reads the merchant's words. It is called for each page and mail, so it must not query each time, nor raise."""
    global _read
    _read = read


def shop_name() -> str:
    return _read().name or str(settings.SHOP_NAME)


def mail_footer() -> str:
    return _read().mail_footer


def mail_sender() -> str:
    """Return MAIL_FROM. If its name is SHOP_NAME, the sender is called as the shop is now."""
    return _sender(settings.MAIL_FROM, settings.SHOP_NAME, shop_name())


@lru_cache(100)
def _sender(mail_from: str, set_name: str, name: str) -> str:
    address = parseaddr(mail_from)[1]
    return formataddr((name, address)) if formataddr((set_name, address)) == mail_from else mail_from
