"""Queue a mail as a row in the transaction of the change that it reports; a sweep sends it within seconds."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from cryptons.kept_sql import new_row
from cryptons.mail.kept_templates import render_kept
from cryptons.mail.models import Mail
from cryptons.shop_identity import mail_footer, shop_name

SUBJECT = "Subject: "
BLANK_LINES = re.compile(r"\n{3,}")
"""Tags of the template that stand on lines of their own."""


COLLECT_FOR = timedelta(minutes=1)
"""How long the mails of a bundle are collected after the first of them, which is sent at once."""


def queue_mail(key: str, *, to: str, template: str, context: Mapping[str, Any], bundle: str = "", reply_to: str = "") -> None:
    """Write the mail's row in the caller's transaction, once for each key.

    `<template>.txt` begins with a line `Subject: …`; `<template>.html` is the same for those who read HTML.
    Of one `bundle`, an address gets at most one mail a minute, with the texts of all that were queued since the last one.
    """
    if Mail.objects.filter(key=key).exists():
        return
    mail = render_mail(key, to=to, template=template, context=context)
    mail.reply_to = reply_to
    if bundle:
        mail.bundle = bundle
        if Mail.objects.filter(bundle=bundle, to=to, created_at__gt=mail.created_at - COLLECT_FOR).exists():
            mail.next_try_at = mail.created_at.replace(second=0, microsecond=0) + COLLECT_FOR
    mail.save(force_insert=True)


def render_mail(key: str, *, to: str, template: str, context: Mapping[str, Any], is_kept: bool = False) -> Mail:
    """Return the mail, not stored yet. `is_kept`: the template takes nothing but texts, as `render_kept` asks."""
    values = {"shop_name": shop_name(), "public_url": settings.PUBLIC_URL, "mail_footer": mail_footer(), **context}
    templates = (f"{template}.txt", f"{template}.html")
    written, html = render_kept(templates, values) if is_kept else [render_to_string(name, values) for name in templates]
    subject, _, text = written.lstrip().partition("\n")
    if not subject.startswith(SUBJECT):
        raise ValueError(f"{template}.txt does not begin with a subject.")
    plain = BLANK_LINES.sub("\n\n", text.strip()) + "\n"
    if footer := values["mail_footer"]:
        plain += f"\n-- \n{footer}\n"
    return new_row(Mail, key=key, to=to, subject=subject.removeprefix(SUBJECT).strip()[:200], text=plain, html=html)
