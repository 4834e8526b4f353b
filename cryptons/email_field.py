"""The form field for mail addresses."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cryptons.email_domain import readable_email, validate_mail_address


class EmailField(forms.EmailField):
    """Takes a domain of any script, and returns it as people read it: some browsers send its ASCII form in place of what was typed."""

    default_validators = [validate_mail_address]

    def __init__(self, **options: Any) -> None:
        options = {"label": _("Email"), "max_length": 254, "widget": forms.EmailInput(attrs={"autocomplete": "email"}), **options}
        super().__init__(**options)

    def to_python(self, value: Any) -> str | None:
        given = super().to_python(value)
        return readable_email(given) if given else given
