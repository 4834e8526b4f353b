"""Read the mail server and the sender of mails from the settings."""

import re
from dataclasses import dataclass
from email.utils import formataddr
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured, ValidationError

from cryptons.email_domain import ascii_email, validate_mail_address
from cryptons.public_url import host_name

PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
ENCODED = "# as %23, / as %2F, ? as %3F, @ as %40, : as %3A, [ as %5B, ] as %5D and % as %25"
LONGEST_NAME = 100
STAFF_MAILS = ("orders", "stock", "payments", "payouts", "alerts", "outages", "webhooks", "verification")
"""The kinds of mails to staff."""


@dataclass(frozen=True)
class MailServer:
    scheme: str
    host: str
    port: int
    user: str
    password: str


def read_mail_server(text: str) -> MailServer:
    """Read EMAIL_URL. The sentence of the error does not repeat the value, which has a password."""
    if not text.isprintable():
        raise ImproperlyConfigured("EMAIL_URL must be one line without control characters.")
    if (scheme := text.partition("://")[0].lower()) not in PORTS or "://" not in text:
        raise ImproperlyConfigured("EMAIL_URL must look like smtp://user:password@host:25, smtp+tls://… or smtps://….")
    try:
        url = urlsplit(text)
        if url.path.strip("/") or url.query or url.fragment:
            raise ValueError
        port = PORTS[scheme] if url.port is None else url.port
        if not url.hostname or not port:
            raise ValueError
        host = url.hostname if url.hostname.isascii() else host_name(url.hostname)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"EMAIL_URL must be {scheme}://user:password@host:port with a port from 1 to 65535, and nothing behind it. "
            f"Percent-encode what has a meaning in an address where it belongs to the user or the password: {ENCODED}."
        ) from error
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if not (user + password).isascii():
        raise ImproperlyConfigured("EMAIL_URL must have a user and a password of ASCII characters: logging in by SMTP knows no others.")
    return MailServer(scheme, host, port, user, password)


def read_shop_name(text: str) -> str:
    if not text.isprintable() or not text.strip() or len(text) > LONGEST_NAME:
        raise ImproperlyConfigured(f"SHOP_NAME must be one line of at most {LONGEST_NAME} characters.")
    return text.strip()


def read_sender(text: str, *, shop_name: str, domain: str) -> str:
    """Return the sender of mails as a header writes it; without `text` the shop at its own domain."""
    if not text:
        return formataddr((shop_name, f"shop@{domain}"))
    named = re.fullmatch(r"(.*?)\s*<([^<>]*)>\s*", text)
    name, address = named.groups() if named else ("", text.strip())
    try:
        if not text.isprintable():
            raise ValidationError("control characters")
        validate_mail_address(address)
    except ValidationError:
        raise ImproperlyConfigured(
            f"MAIL_FROM must be a mail address, or a name and an address as in Shop <shop@shop.example>, not {text!r}."
        ) from None
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return formataddr((name, ascii_email(address)))


def read_staff_addresses(addresses: list[str]) -> list[str]:
    for address in addresses:
        try:
            validate_mail_address(address)
        except ValidationError:
            raise ImproperlyConfigured(f"STAFF_EMAIL must list mail addresses, separated by commas, not {address!r}.") from None
    addresses = [ascii_email(address) for address in addresses]
    if len({address.lower() for address in addresses}) < len(addresses):
        raise ImproperlyConfigured("STAFF_EMAIL must list each address once.")
    return addresses


def read_staff_mails(kinds: list[str]) -> list[str]:
    if wrong := [kind for kind in kinds if kind not in STAFF_MAILS]:
        raise ImproperlyConfigured(f"STAFF_MAILS must list some of {', '.join(STAFF_MAILS)}, not {wrong[0]!r}.")
    return kinds
