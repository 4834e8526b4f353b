from django import forms

from shop.models import MAX_QUANTITY

QUANTITY_WORDS = {
    "required": "Please enter a quantity.",
    "invalid": "Please enter a whole number.",
    "min_value": "Please enter a quantity of %(limit_value)s or more.",
    "max_value": "Please enter a quantity of at most %(limit_value)s.",
}


class AddForm(forms.Form):
    product = forms.UUIDField()
    quantity = forms.IntegerField(min_value=1, max_value=MAX_QUANTITY, error_messages=QUANTITY_WORDS)


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=0, max_value=MAX_QUANTITY, error_messages=QUANTITY_WORDS)
