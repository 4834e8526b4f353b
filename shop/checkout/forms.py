from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import AddressForm


class CheckoutForm(AddressForm):
    """The first page: the buyer and the shipping address. Only buyers with an account see `save_address`."""

    email = forms.EmailField(
        label=_("Email"),
        max_length=254,
        help_text=_("We send you the order and the progress of its payment."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    save_address = forms.BooleanField(label=_("Keep this address for my next order"), required=False)
    field_order = ["email"]

    def __init__(self, *args: Any, has_account: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_account:
            del self.fields["save_address"]


class PlaceForm(forms.Form):
    """The second page's form. The token makes one order of a button pressed twice; `agreed` is what the buyer saw."""

    network = forms.CharField(max_length=10, error_messages={"required": _("Please choose how to pay.")})
    token = forms.UUIDField()
    agreed = forms.CharField(max_length=10_000)
