from typing import Any

from django import forms

from accounts.forms import AddressForm


class CheckoutForm(AddressForm):
    """The first page: who and where to. `save_address` only for those who have an account."""

    email = forms.EmailField(
        max_length=254,
        help_text="We send you the order and its payment's progress.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    save_address = forms.BooleanField(label="Keep this address for my next order", required=False)
    field_order = ["email"]

    def __init__(self, *args: Any, has_account: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_account:
            del self.fields["save_address"]


class PlaceForm(forms.Form):
    """The second page's answer. The token makes one order of a button pressed twice; `agreed` is what the buyer saw."""

    network = forms.CharField(max_length=10, error_messages={"required": "Please choose how to pay."})
    token = forms.UUIDField()
    agreed = forms.CharField(max_length=10_000)
