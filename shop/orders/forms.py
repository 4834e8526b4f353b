from django import forms
from django.utils.translation import gettext_lazy as _

from cryptons.email_field import EmailField


class FindForm(forms.Form):
    """Finds an order whose mail is lost or went unread."""

    number = forms.CharField(label=_("Order number"), max_length=30, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    email = EmailField(label=_("Email address of the order"))
