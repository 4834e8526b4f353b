from django import forms
from django.utils.translation import gettext_lazy as _


class FindForm(forms.Form):
    """Finds an order whose mail is lost or went unread."""

    number = forms.CharField(label=_("Order number"), max_length=30, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    email = forms.EmailField(
        label=_("Email address of the order"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
