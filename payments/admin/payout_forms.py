"""What staff fill in about a payout."""

import base64
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone

from cryptons.money import UNITS, Base, amount_due, base_to_fiat, decimal_to_minor, format_coin, format_fiat, parse_coin, round_half_up
from payments.errors import PaymentError, RateUnavailable
from payments.models import Payout
from payments.payouts.destinations import BadDestination, check_destination
from payments.rates.current import rate_for

IN_COINS, IN_FIAT = "coins", "fiat"


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=200, help_text="Stands in the event log beside your name.")


class HandForm(ReasonForm):
    reference = forms.CharField(max_length=128, label="Transaction", help_text="Its id, as the wallet shows it.")


class AgreeForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput)
    """Of the payout as the person sees it: whoever changes it meanwhile, where to above all, makes them look again."""

    def __init__(self, *args: Any, payout: Payout, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["version"].initial = payout.version


class DestinationForm(forms.Form):
    destination = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 3, "cols": 70}), help_text="As the buyer gave it.")

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
    file = forms.FileField(required=False, label="The signed file")
    text = forms.CharField(required=False, label="or its text (base64)", widget=forms.Textarea(attrs={"rows": 4, "cols": 70}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file, text = cleaned.get("file"), (cleaned.get("text") or "").strip()
        if file is not None and file.size > 1_000_000:
            raise forms.ValidationError("This file is too large for a PSBT.")
        raw = file.read() if file is not None else b""
        cleaned["psbt"] = (
            base64.b64encode(raw).decode() if raw.startswith(b"psbt\xff") else (raw.decode("ascii", "replace").strip() or text)
        )
        if not cleaned["psbt"]:
            raise forms.ValidationError("Choose the file that your wallet wrote, or paste its text.")
        return cleaned


class DraftForm(ReasonForm):
    field_order = ("network", "amount", "unit", "reason")
    network = forms.ChoiceField(label="Over")
    amount = forms.DecimalField(min_value=0, label="How much")
    unit = forms.ChoiceField(label="In")

    def __init__(self, *args: Any, most: Mapping[str, int], currency: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.most, self.currency = most, currency
        self._offer("network", [(network, self._words(network)) for network in most])
        in_fiat = [(IN_FIAT, f"{currency}, at today's rate")] if currency == settings.CURRENCY else []
        self._offer("unit", [(IN_COINS, "coins"), *in_fiat])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def _words(self, network: str) -> str:
        most = self.most[network]
        words = f"{UNITS[network].name}: at most {format_coin(most, network)} {UNITS[network].coin}"
        with suppress(RateUnavailable):
            worth = round_half_up(base_to_fiat(most, minor_per_coin=self._rate(network), network=network))
            words += f", today worth {format_fiat(worth, self.currency)} {self.currency}"
        return words

    def _rate(self, network: str) -> Decimal:
        if self.currency != settings.CURRENCY:
            raise RateUnavailable("There are no rates in this currency.")
        return rate_for(network, at=timezone.now()).minor_per_coin

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        amount, network, unit = (cleaned.get(name) for name in ("amount", "network", "unit"))
        if amount is not None and network and unit:
            try:
                cleaned["amount_base"] = parse_coin(amount, network) if unit == IN_COINS else self._worth(amount, network)
            except ValueError as error:
                self.add_error("amount", str(error))
            except RateUnavailable:
                self.add_error("unit", "There is no fresh price right now: say it in coins, or try again in a few minutes.")
        return cleaned

    def _worth(self, amount: Decimal, network: str) -> Base:
        return amount_due(decimal_to_minor(amount, self.currency), minor_per_coin=self._rate(network), network=network)
