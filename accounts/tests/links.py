"""Read the links that mails hold, as their readers do."""

import re

from cryptons.mail.models import Mail


def last_mail(to: str) -> Mail:
    return Mail.objects.filter(to=to).latest("created_at", "pk")


def link_in(mail: Mail) -> str:
    """Return the path of the mail's link."""
    path: str
    (path,) = re.findall(r"https?://[^/\s]+(\S*/account/link/\S+)", mail.text)
    assert path in mail.html
    return path


def key_in(mail: Mail) -> str:
    return link_in(mail).rstrip("/").rpartition("/")[2]
