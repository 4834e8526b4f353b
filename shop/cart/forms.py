from django import forms
from django.utils.translation import gettext_lazy as _

from shop.models import MAX_QUANTITY

QUANTITY_WORDS = {
    "required": _("Please enter a quantity."),
    "invalid": _("Please enter a whole number."),
    "min_value": _("Please enter a quantity of %(limit_value)s or more."),
    "max_value": _("Please enter a quantity of at most %(limit_value)s."),
}


class AddForm(forms.Form):
    product = forms.UUIDField()
    quantity = forms.IntegerField(min_value=1, max_value=MAX_QUANTITY, error_messages=QUANTITY_WORDS)


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=0, max_value=MAX_QUANTITY, error_messages=QUANTITY_WORDS)
