"""What the shop has mailed, read from the files that it writes while no mail server is configured."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.running import Shop, wait_for


def mails_to(shop: Shop, address: str) -> list[EmailMessage]:
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in (shop.data / "mail").glob("*.eml")]
    return [mail for mail in mails if mail["To"] == address]


def wait_for_mail(shop: Shop, address: str, subject: str) -> EmailMessage:
    """Return the one mail to this address whose subject begins so."""

    def find() -> list[EmailMessage]:
        return [mail for mail in mails_to(shop, address) if mail["Subject"].startswith(subject)]

    (mail,) = wait_for(f"a mail {subject!r} to {address}", find)
    return mail


def link_in(mail: EmailMessage, path: str) -> str:
    """Return the path of the mail's one link that begins so, which both its text and its HTML must hold."""
    text, html = (str(part.get_content()) for part in mail.iter_parts())
    (link,) = {str(found) for found in re.findall(rf"https?://[^/\s]+({path}\S+)", text)}
    assert link in html
    return link
