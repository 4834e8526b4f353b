from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.forms import AddressForm
from cryptons.email_field import EmailField
from shop.checkout.email_hint import suggest_address


class CheckoutForm(AddressForm):
    """The first page: the buyer and the shipping address. Only buyers with an account see `save_address`."""

    email = EmailField(help_text=gettext_lazy("We send you the order and the progress of its payment."))
    save_address = forms.BooleanField(label=gettext_lazy("Keep this address for my next order"), required=False)
    kept_email = forms.CharField(label=gettext_lazy("Email"), required=False, widget=forms.HiddenInput)
    """The address that was asked about: who sends it again means it."""
    field_order = ["email"]

    def __init__(self, *args: Any, has_account: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_account:
            del self.fields["save_address"]

    def clean(self) -> dict[str, Any]:
        """Ask once about an address that looks mistyped."""
        values = super().clean() or self.cleaned_data
        email = values.get("email", "")
        suggestion = suggest_address(email)
        if suggestion and email != values.get("kept_email"):
            self.data = {**dict(self.data.items()), "kept_email": email}
            self.fields["email"].suggestion = suggestion  # type: ignore[attr-defined]
            words = _("Did you mean %(suggestion)s? If %(email)s is right, continue.")
            self.add_error("email", words % {"suggestion": suggestion, "email": email})
        return values


class PlaceForm(forms.Form):
    """The second page's form. The token makes one order of a button pressed twice; `agreed` is what the buyer saw.

    `terms` is the version that the buyer accepted.
    """

    network = forms.CharField(max_length=10, error_messages={"required": gettext_lazy("Please choose how to pay.")})
    token = forms.UUIDField()
    agreed = forms.CharField(max_length=10_000)
    terms = forms.UUIDField(required=False)
