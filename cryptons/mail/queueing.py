"""Queue a mail as a row in the transaction of the change that it reports; a sweep sends it within seconds."""

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from cryptons.mail.models import Mail

SUBJECT = "Subject: "
BLANK_LINES = re.compile(r"\n{3,}")
"""Tags of the template that stand on lines of their own."""


def queue_mail(key: str, *, to: str, template: str, context: Mapping[str, Any]) -> None:
    """Write the mail's row in the caller's transaction, once for each key.

    `<template>.txt` begins with a line `Subject: …`; `<template>.html` is the same for those who read HTML.
    """
    if not Mail.objects.filter(key=key).exists():
        render_mail(key, to=to, template=template, context=context).save(force_insert=True)


def render_mail(key: str, *, to: str, template: str, context: Mapping[str, Any]) -> Mail:
    """Return the mail, not stored yet."""
    values = {"shop_name": settings.SHOP_NAME, "public_url": settings.PUBLIC_URL, **context}
    subject, _, text = render_to_string(f"{template}.txt", values).lstrip().partition("\n")
    if not subject.startswith(SUBJECT):
        raise ValueError(f"{template}.txt does not begin with a subject.")
    html = render_to_string(f"{template}.html", values)
    plain = BLANK_LINES.sub("\n\n", text.strip()) + "\n"
    return Mail(key=key, to=to, subject=subject.removeprefix(SUBJECT).strip()[:200], text=plain, html=html)
