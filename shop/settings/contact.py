"""The form of the contact page: what somebody writes is mailed to the merchant, and an answer goes to who wrote it."""

import hashlib
import re
from contextlib import suppress
from typing import Any

from django import forms
from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from cryptons.db import in_transaction
from cryptons.email_field import EmailField
from cryptons.mail.queueing import queue_mail
from shop.settings.current import current_settings

LIMIT = "5/hour"
"""Messages of one client address."""


class ContactForm(forms.Form):
    email = EmailField(label=_("Your email address"), help_text=_("We answer to this address."))
    order = forms.CharField(
        label=_("Order number"),
        max_length=30,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("If you ask about an order."),
    )
    message = forms.CharField(label=_("Message"), min_length=10, max_length=4000, widget=forms.Textarea(attrs={"rows": 8}))
    website = forms.CharField(required=False, widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}))
    """Nobody sees it; programs that fill each form fill it too."""

    def clean_order(self) -> str:
        return re.sub(r"[^A-Z0-9-]", "", self.cleaned_data["order"].upper())


def contact_address() -> str:
    """Return who gets the messages: the shop's own address, or else the first one of STAFF_EMAIL; empty: the shop has no form."""
    return current_settings().email or next(iter(settings.STAFF_EMAIL), "")


def send_message(given: dict[str, Any]) -> None:
    """Queue the mail. The same message of the same sender is one mail a day, however often it is sent."""
    if given["website"]:
        return
    context = {"sender": given["email"], "order": given["order"], "message": given["message"], "mail_footer": ""}
    digest = hashlib.sha256("\n".join([given["email"], given["order"], given["message"]]).encode()).hexdigest()[:32]
    key = f"contact:{timezone.now():%Y-%m-%d}:{digest}"
    with override(settings.LANGUAGE_CODE), suppress(IntegrityError):  # of two at once
        in_transaction(
            lambda: queue_mail(key, to=contact_address(), reply_to=given["email"], template="shop/mail/contact", context=context)
        )
