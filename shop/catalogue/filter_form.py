"""The filters beside a list of products, as they stand in the address."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.http import QueryDict

from cryptons.money import MAX_MINOR, decimal_to_minor, format_fiat, minor_digits, minor_to_decimal
from shop.catalogue.category_tree import CategoryTree
from shop.catalogue.reads import Filters
from shop.models import Category
from shop.search.base import MAX_TEXT, Facets

PARAMETERS = ("q", "category", "min_price", "max_price", "min_rating", "in_stock", "sort", "page")
PAGE_SIZE = 24
MAX_PAGE = 10**6

SORTS = [
    ("relevance", "Best match"),
    ("newest", "Newest"),
    ("price", "Price, lowest first"),
    ("-price", "Price, highest first"),
    ("rating", "Best rated"),
    ("name", "Name"),
]
RATINGS = [("", "Any"), ("4", "4 stars and more"), ("3", "3 stars and more"), ("2", "2 stars and more")]


class PriceField(forms.DecimalField):
    """An amount in the shop's currency; minor units come out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, min_value=0, max_value=minor_to_decimal(MAX_MINOR, settings.CURRENCY), **options)
        self.widget.attrs.update({"inputmode": "decimal", "step": "any"})

    def clean(self, value: Any) -> int | None:
        amount = super().clean(value)
        if amount is None:
            return None
        try:
            return decimal_to_minor(amount, settings.CURRENCY)
        except ValueError as error:
            digits = minor_digits(settings.CURRENCY)
            raise forms.ValidationError(f"Please enter a price with at most {digits} decimals.") from error


class FilterForm(forms.Form):
    min_price = PriceField(label="From")
    max_price = PriceField(label="To")
    min_rating = forms.ChoiceField(label="Rating", choices=RATINGS, required=False)
    in_stock = forms.BooleanField(label="In stock only", required=False)
    sort = forms.ChoiceField(label="Sort by", choices=SORTS, required=False)

    def __init__(self, query: QueryDict, *, tree: CategoryTree, category: Category | None = None) -> None:
        """A page of its own for the category comes first; else the address may name one. What cannot be read is told and not applied."""
        super().__init__(query, auto_id="filter-%s", use_required_attribute=False)
        self.fields["sort"].widget.attrs.update({"form": "filters", "data-submit-on-change": ""})
        self.text = query.get("q", "").replace("\0", " ").strip()[:MAX_TEXT]
        if not self.text:  # nothing to match
            sort = self.fields["sort"]
            assert isinstance(sort, forms.ChoiceField)
            sort.choices = SORTS[1:]
        self.path_category = category
        self.category = category or tree.find(query.get("category", ""))
        self.number = _page_number(query.get("page", ""))
        self.is_valid()

    def filters(self) -> Filters:
        chosen = self.cleaned_data
        return Filters(
            text=self.text,
            category=self.category,
            min_price_minor=chosen.get("min_price"),
            max_price_minor=chosen.get("max_price"),
            min_rating=Decimal(chosen["min_rating"]) if chosen.get("min_rating") else None,
            in_stock=bool(chosen.get("in_stock")),
            sort=chosen.get("sort") or "relevance",
            page=self.number,
            limit=PAGE_SIZE,
        )

    def show_counts(self, facets: Facets) -> None:
        """Say beside each choice how many products it would leave."""
        rating = self.fields["min_rating"]
        assert isinstance(rating, forms.ChoiceField)
        rating.choices = [(value, f"{words} ({facets.ratings.get(int(value), 0)})" if value else words) for value, words in RATINGS]
        self["in_stock"].label = f"In stock only ({facets.in_stock})"

    def query(self, **changes: str) -> str:
        """These filters as they stand in an address, without a page; an empty change takes one away."""
        chosen = self.cleaned_data
        values = {
            "q": self.text,
            "category": "" if self.path_category or not self.category else self.category.slug,
            "min_price": _amount(chosen.get("min_price")),
            "max_price": _amount(chosen.get("max_price")),
            "min_rating": chosen.get("min_rating") or "",
            "in_stock": "on" if chosen.get("in_stock") else "",
            "sort": "" if chosen.get("sort") in (None, "", "relevance") else chosen["sort"],
        }
        return _encode({**values, **changes})

    def hidden(self) -> dict[str, str]:
        """What the form must carry along because it has no control for it."""
        kept = {"q": self.text, "category": "" if self.path_category or not self.category else self.category.slug}
        return {name: value for name, value in kept.items() if value}

    @property
    def is_narrowed(self) -> bool:
        chosen = self.cleaned_data
        return any(chosen.get(name) not in (None, "", False) for name in ("min_price", "max_price", "min_rating", "in_stock"))


def _encode(values: Mapping[str, str]) -> str:
    return urlencode({name: value for name, value in values.items() if value}, errors="replace")


def _amount(minor: int | None) -> str:
    return "" if minor is None else format_fiat(minor, settings.CURRENCY)


def _page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= MAX_PAGE else 1
