"""Write a mail as the bytes of a message. Python's email package takes more CPU time for it than all other work on the mail together."""

import binascii
import hashlib
import re
import secrets
from email.header import Header
from email.utils import format_datetime

from django.conf import settings
from django.core.mail import BadHeaderError
from django.core.mail.message import sanitize_address

from cryptons.email_domain import ascii_email
from cryptons.mail.models import Mail
from cryptons.shop_identity import mail_sender

PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
LONGEST_PLAIN_SUBJECT = 65
"""With its name the header's line has fewer than the recommended 78 characters."""
LONGEST_LINE = 998
"""What RFC 5322 allows, in bytes."""
LINE_END = re.compile(r"\r\n?")


def message_bytes(mail: Mail) -> bytes:
    """Return the message with the text and its alternative, the HTML; each line ends with a line feed alone.

    Raises BadHeaderError, a ValueError, if subject or an address has several lines, and ValueError if an address cannot be read.
    """
    if any(end in value for value in (mail.subject, mail.to, mail.reply_to) for end in "\r\n"):
        raise BadHeaderError("The subject and the addresses must be one line each.")
    answers = f"Reply-To: {plain_address(mail.reply_to)}\n" if mail.reply_to else ""
    boundary = secrets.token_hex(16)  # so that neither text has it
    head = (
        f'Content-Type: multipart/alternative; boundary="{boundary}"\nMIME-Version: 1.0\n'
        f"Subject: {_subject(mail.subject)}\nFrom: {mail_sender()}\nTo: {plain_address(mail.to)}\n{answers}"
        f"Message-ID: {message_id(mail)}\nDate: {format_datetime(mail.created_at)}\n"
    )
    parts = (head.encode("ascii"), _part("plain", mail.text), _part("html", mail.html))
    return f"\n--{boundary}\n".encode().join(parts) + f"\n--{boundary}--\n".encode()


def message_id(mail: Mail) -> str:
    """Name the text, too: a bundle that is tried again may hold more mails, which a server must not take for a copy."""
    text = hashlib.sha256(f"{mail.subject}\n{mail.text}".encode()).hexdigest()[:8]
    return f"<{mail.pk}.{text}@{settings.MAIL_DOMAIN}>"


def plain_address(address: str) -> str:
    """Return the address in ASCII. Raises ValueError if it cannot be read."""
    return address if PLAIN_ADDRESS.fullmatch(address) else sanitize_address(ascii_email(address), "utf-8")


def _subject(text: str) -> str:
    if text.isascii() and text.isprintable() and len(text) <= LONGEST_PLAIN_SUBJECT:
        return text
    return Header(text, "utf-8", header_name="Subject").encode()


def _part(kind: str, text: str) -> bytes:
    """Return the text with the headers of its part. As bytes of eight bits it is sent as it is, unless it has too long lines for that."""
    content = (LINE_END.sub("\n", text) if "\r" in text else text).encode()
    encoding = "7bit" if content.isascii() else "8bit"
    if max(map(len, content.split(b"\n"))) > LONGEST_LINE:
        encoding, content = "quoted-printable", binascii.b2a_qp(content)
    return f'Content-Type: text/{kind}; charset="utf-8"\nContent-Transfer-Encoding: {encoding}\n\n'.encode() + content
