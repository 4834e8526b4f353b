"""The form field for amounts of money. A comma counts as the decimal point it was meant as, or is asked about."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _

_ONE_COMMA = re.compile(r"[+-]?\d*,(\d+)")


class AmountField(forms.DecimalField):
    """A text box, since browsers drop the comma of `12,50` from a number box of another language without a word."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]  # as DecimalField itself does
        """Read `12.50` and `12,50`. Raises ValidationError for `1,250` and `1,250.00`, which may mean two things."""
        if isinstance(value, str) and "," in value:
            typed = value.strip()
            comma = _ONE_COMMA.fullmatch(typed)
            if comma is None or len(comma[1]) == 3:
                raise forms.ValidationError(_("Write the amount with a decimal point and without commas, such as 1250.00."))
            value = typed.replace(",", ".")
        return super().to_python(value)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "inputmode": "decimal", "autocomplete": "off"}
