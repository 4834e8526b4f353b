"""Vouchers for staff: what they take off, for whom and for which products, and how often they were used."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin import MomentField
from cryptons.amount_field import AmountField
from cryptons.atomic_admin import AtomicModelAdmin
from cryptons.formats import money
from cryptons.money import MAX_MINOR, decimal_to_minor, minor_digits, minor_to_decimal
from shop.models import Voucher, VoucherGoods
from shop.pricing.vouchers import as_code, new_code

CODE = re.compile(r"[0-9A-Z-]{3,}")


class VoucherForm(forms.ModelForm[Voucher]):
    starts_at = MomentField(label=_("valid from"), required=False)
    ends_at = MomentField(label=_("valid until"), required=False)
    amount = AmountField(required=False)
    minimum = AmountField(required=False)

    class Meta:
        model = Voucher
        fields = ("code", "percent", "starts_at", "ends_at", "most_uses", "is_once_a_person", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label, words in (
            ("amount", _("Amount (%(currency)s)"), _("Taken off once, not off each piece. Empty when percent are taken off.")),
            ("minimum", _("Minimum (%(currency)s)"), _("What the products that it is valid for must be worth.")),
        ):
            stored = getattr(self.instance, f"{name}_minor")
            self.fields[name] = AmountField(
                label=label % {"currency": settings.CURRENCY},
                help_text=words,
                required=False,
                min_value=0,
                max_value=minor_to_decimal(MAX_MINOR, settings.CURRENCY),
                decimal_places=minor_digits(settings.CURRENCY),
                initial=minor_to_decimal(stored, settings.CURRENCY) if stored else None,
            )
        if code := self.fields.get("code"):
            code.required = False
            code.help_text = gettext("Letters, digits and hyphens; small letters count as capital ones. Empty: one that nobody can guess.")
        if percent := self.fields.get("percent"):
            percent.required = False
            percent.widget.attrs |= {"min": 0, "max": 100}

    def clean_code(self) -> str:
        code = as_code(self.cleaned_data["code"]) or new_code()
        if not CODE.fullmatch(code):
            raise forms.ValidationError(gettext("Use 3 or more of the letters A to Z, digits and hyphens."))
        return code

    def clean_percent(self) -> int:
        percent = self.cleaned_data["percent"] or 0
        if percent > 100:
            raise forms.ValidationError(gettext("Enter 100 percent or less."))
        return percent

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or self.cleaned_data
        for name in ("amount", "minimum"):
            if name in values:
                setattr(self.instance, f"{name}_minor", decimal_to_minor(values[name] or Decimal(0), settings.CURRENCY))
        if "amount" in values and "percent" in values and bool(values["amount"]) == bool(values["percent"]):
            self.add_error("percent", gettext("Enter either percent or an amount."))
        starts_at, ends_at = values.get("starts_at"), values.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", gettext("It must end after it starts."))
        return values


class GoodsForm(forms.ModelForm[VoucherGoods]):
    class Meta:
        model = VoucherGoods
        fields = ("product", "category")

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or self.cleaned_data
        if values.get("product") and values.get("category"):
            self.add_error("category", gettext("Choose a product or a category, and another row for the other one."))
        return values


class LabelledFormSet(forms.BaseInlineFormSet[VoucherGoods, Voucher, forms.ModelForm[VoucherGoods]]):
    """Names each field for screen readers: in a table, Django names the columns only."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            # The admin wraps the box of a foreign key, and hands it no attributes.
            getattr(field.widget, "widget", field.widget).attrs.setdefault("aria-label", field.label)


class GoodsInline(admin.TabularInline[VoucherGoods, Voucher]):
    model = VoucherGoods
    form = GoodsForm
    formset = LabelledFormSet
    extra = 1
    raw_id_fields = ("product",)
    """Not autocomplete_fields: in a table, their boxes have no name for screen readers."""


@admin.register(Voucher)
class VoucherAdmin(AtomicModelAdmin[Voucher]):
    form = VoucherForm
    inlines = (GoodsInline,)
    list_display = ("code", "discount", "starts_at", "ends_at", "used", "is_once_a_person", "is_active")
    list_filter = ("is_active",)
    search_fields = ("code",)
    search_help_text = _("Code")
    ordering = ("-created_at",)
    fields = (
        "code",
        "percent",
        "amount",
        "minimum",
        "starts_at",
        "ends_at",
        "most_uses",
        "used",
        "is_once_a_person",
        "is_active",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Voucher | None = None) -> tuple[str, ...]:
        return ("code", "used") if obj else ("used",)

    @admin.display(description=_("discount"))
    def discount(self, voucher: Voucher) -> str:
        return f"{voucher.percent}\xa0%" if voucher.percent else money(voucher.amount_minor)

    @admin.display(description=_("amount"))
    def amount(self, voucher: Voucher) -> str:
        """For those who may only look; others have a field of the form."""
        return money(voucher.amount_minor)

    @admin.display(description=_("minimum"))
    def minimum(self, voucher: Voucher) -> str:
        return money(voucher.minimum_minor)

    @admin.display(description=_("used"))
    def used(self, voucher: Voucher) -> str:
        return str(voucher.uses) if voucher.most_uses is None else f"{voucher.uses} / {voucher.most_uses}"

    def save_model(self, request: HttpRequest, obj: Voucher, form: Any, change: bool) -> None:
        """Save only what staff changed: orders count its uses at the same time."""
        names = {"amount": "amount_minor", "minimum": "minimum_minor"}
        obj.save(update_fields=[names.get(name, name) for name in form.changed_data] if change else None)
