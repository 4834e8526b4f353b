"""What programs send to create and to change products."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cryptons.api.inputs import Input, StrictBoolean, StrictInteger, StrictString, StrictUUID
from cryptons.api.outputs import DecimalText
from cryptons.money import MAX_MINOR, format_fiat, minor_to_decimal, parse_fiat
from shop.models import Category, Product

MOST_ROWS = 500


@extend_schema_field(DecimalText)
class Price(serializers.Field[int, Any, str, Any]):
    """Takes a decimal string in the shop's currency, `"49.99"`, as minor units. A JSON number must be whole."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, str | int):
            raise serializers.ValidationError(_('Must be a decimal string such as "49.99".'))
        try:
            minor = parse_fiat(str(data), settings.CURRENCY)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error
        if not 0 < minor <= MAX_MINOR:
            limits = {"least": _readable(1), "most": _readable(MAX_MINOR)}
            raise serializers.ValidationError(_("Must be between %(least)s and %(most)s.") % limits)
        return minor

    def to_representation(self, value: int) -> str:
        return format_fiat(value, settings.CURRENCY)


def _readable(amount_minor: int) -> str:
    return f"{minor_to_decimal(amount_minor, settings.CURRENCY):,}"


class ProductInput(Input):
    example = {"name": "Kettle", "sku": "KETTLE", "price": "49.99", "category": "01a21c3e-c0fd-70d0-8283-c19ad8f36555", "stock": 12}

    name = StrictString(max_length=160)
    sku = StrictString(max_length=64)
    slug = serializers.SlugField(max_length=180, required=False, allow_unicode=True)
    description = StrictString(max_length=20_000, allow_blank=True, required=False)
    price = Price(source="price_minor")
    category = StrictUUID()
    stock = StrictInteger(min_value=0, max_value=10**9, required=False)
    isListed = StrictBoolean(required=False, source="is_listed")

    def validate_category(self, value: Any) -> Category:
        category = Category.objects.filter(pk=value).first()
        if category is None:
            raise serializers.ValidationError(_("There is no such category."))
        return category


class ProductRowInput(ProductInput):
    """One product of many, by its `id`, and what changes of it."""

    example = {"id": "01a21c3e-c0fd-70d0-8283-c19ad8f36555", "price": "39.50"}

    id = StrictUUID(source="product")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        for name, field in fields.items():
            field.required = name == "id"
        return fields

    @property
    def _batch(self) -> "ProductBatchInput":
        return cast(ProductBatchInput, self.root)

    def validate_id(self, value: UUID) -> Product:
        product = self._batch.products_by_id.get(value)
        if product is None:
            raise serializers.ValidationError(_("Product not found"))
        return product

    def validate_category(self, value: UUID) -> Category:
        category = self._batch.categories_by_id.get(value)
        if category is None:
            raise serializers.ValidationError(_("There is no such category."))
        return category


class RowList(serializers.ListField):
    """Refuses too many rows before it looks at each."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and len(data) > MOST_ROWS:
            raise serializers.ValidationError(_("At most %(count)d rows.") % {"count": MOST_ROWS})
        return super().to_internal_value(data)


class ProductBatchInput(Input):
    example = {"products": [ProductRowInput.example]}

    products = RowList(child=ProductRowInput(), min_length=1, max_length=MOST_ROWS)

    def validate_products(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first: dict[UUID, int] = {}
        again = {number: row["product"] for number, row in enumerate(rows) if first.setdefault(row["product"].pk, number) != number}
        if again:
            raise serializers.ValidationError({str(number): {"id": [_("Another row is about this product.")]} for number in again})
        return rows

    @cached_property
    def products_by_id(self) -> Mapping[UUID, Product]:
        """The products of all rows, read at once."""
        return Product.objects.in_bulk(self._ids("id"))

    @cached_property
    def categories_by_id(self) -> Mapping[UUID, Category]:
        return Category.objects.in_bulk(self._ids("category"))

    def _ids(self, name: str) -> set[UUID]:
        """Return the ids that stand in the rows under this name, those that are ids."""
        ids: set[UUID] = set()
        for row in self.initial_data["products"]:
            with suppress(ValueError, AttributeError, TypeError):
                ids.add(UUID(row.get(name)))
        return ids
