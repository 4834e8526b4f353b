"""The forms that staff fill in about a payout."""

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cryptons.admin_actions import ReasonForm
from cryptons.amount_field import AmountField
from cryptons.formats import coins, money
from cryptons.money import UNITS, Base, amount_due, base_to_fiat, decimal_to_minor, parse_coin, round_half_up
from payments.errors import PaymentError, RateUnavailable
from payments.models import Payout
from payments.payouts.destinations import BadDestination, check_destination
from payments.rates.current import rate_for

IN_COINS, IN_FIAT = "coins", "fiat"


class ManualSendForm(ReasonForm):
    reference = forms.CharField(max_length=128, label=_("Transaction"), help_text=_("Its id, as the wallet shows it."))


class FeeForm(ReasonForm):
    field_order = ("fee", "reason")
    fee = AmountField(
        min_value=0,
        label=_("Highest fee"),
        help_text=_("In coins. The shop pays it on top of the amount."),
    )

    def __init__(self, *args: Any, network: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.network = network

    def clean_fee(self) -> Base:
        try:
            return parse_coin(self.cleaned_data["fee"], self.network)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class ApprovalForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput)
    """Of the payout as the person sees it: when it was changed since, above all its destination, they must look again."""


class DestinationForm(forms.Form):
    destination = forms.CharField(
        label=_("Destination"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 70}),
        help_text=_("The address or Lightning invoice that the buyer gave."),
    )

    def __init__(self, *args: Any, payout: Payout, **options: Any) -> None:
        super().__init__(*args, **options)
        self.payout = payout

    def clean_destination(self) -> str:
        text: str = self.cleaned_data["destination"]
        try:
            return check_destination(self.payout.network, text, self.payout.amount_base, at=timezone.now())
        except (BadDestination, PaymentError) as error:
            raise forms.ValidationError(str(error)) from error


class SignedForm(forms.Form):
    file = forms.FileField(required=False, label=_("Signed file"))
    text = forms.CharField(required=False, label=_("or its text (base64)"), widget=forms.Textarea(attrs={"rows": 4, "cols": 70}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file, text = cleaned.get("file"), (cleaned.get("text") or "").strip()
        if file is not None and file.size > 1_000_000:
            raise forms.ValidationError(gettext("This file is too large for a PSBT."))
        raw = file.read() if file is not None else b""
        cleaned["psbt"] = (
            base64.b64encode(raw).decode() if raw.startswith(b"psbt\xff") else (raw.decode("ascii", "replace").strip() or text)
        )
        if not cleaned["psbt"]:
            raise forms.ValidationError(gettext("Choose the file that your wallet wrote, or paste its text."))
        cleaned["text"] = cleaned["psbt"]  # browsers forget the file when the page is shown again with an error
        return cleaned


class DraftForm(ReasonForm):
    field_order = ("network", "amount", "unit", "reason")
    network = forms.ChoiceField(label=_("Network"))
    amount = AmountField(min_value=0, label=_("Amount"))
    unit = forms.ChoiceField(label=_("Unit"))

    def __init__(self, *args: Any, most: Mapping[str, int], currency: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.most, self.currency = most, currency
        self._offer("network", [(network, self._words(network)) for network in most])
        in_fiat = [(IN_FIAT, gettext("%(currency)s, at today's rate") % {"currency": currency})] if currency == settings.CURRENCY else []
        self._offer("unit", [(IN_COINS, gettext("coins")), *in_fiat])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def _words(self, network: str) -> str:
        most = self.most[network]
        words = {"network": UNITS[network].name, "amount": f"{coins(most, network)} {UNITS[network].symbol}"}
        try:
            value = round_half_up(base_to_fiat(most, minor_per_coin=self._rate(network), network=network))
        except RateUnavailable:
            return gettext("%(network)s: at most %(amount)s") % words
        return gettext("%(network)s: at most %(amount)s, today worth %(value)s") % {**words, "value": money(value, self.currency)}

    def _rate(self, network: str) -> Decimal:
        return rate_for(network, at=timezone.now(), currency=self.currency).minor_per_coin

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        amount, network, unit = (cleaned.get(name) for name in ("amount", "network", "unit"))
        if amount is not None and network and unit:
            try:
                cleaned["amount_base"] = parse_coin(amount, network) if unit == IN_COINS else self._in_coins(amount, network)
            except ValueError as error:
                self.add_error("amount", str(error))
            except RateUnavailable:
                self.add_error("unit", gettext("There is no current rate. Enter the amount in coins, or try again in a few minutes."))
        return cleaned

    def _in_coins(self, amount: Decimal, network: str) -> Base:
        return amount_due(decimal_to_minor(amount, self.currency), minor_per_coin=self._rate(network), network=network)
