"""The filters next to a list of products, read from the query string."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cryptons.amount_field import AmountField
from cryptons.money import MAX_MINOR, decimal_to_minor, format_fiat, minor_digits, minor_to_decimal
from shop.catalogue.category_tree import CategoryTree
from shop.models import Category
from shop.search.base import MAX_TEXT, Facets, Query

PARAMETERS = ("q", "category", "min_price", "max_price", "min_rating", "in_stock", "sort", "page")
PAGE_SIZE = 24
MAX_PAGE = 10**6

SORTS = [
    ("relevance", _("Best match")),
    ("newest", _("Newest")),
    ("price", _("Price, lowest first")),
    ("-price", _("Price, highest first")),
    ("rating", _("Best rated")),
    ("name", _("Name")),
]
RATINGS = [("", _("Any")), ("4", _("4 stars or more")), ("3", _("3 stars or more")), ("2", _("2 stars or more"))]


class PriceField(AmountField):
    """Read an amount in the shop's currency; the cleaned value is in minor units."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, min_value=0, max_value=minor_to_decimal(MAX_MINOR, settings.CURRENCY), **options)

    def clean(self, value: Any) -> int | None:
        amount = super().clean(value)
        if amount is None:
            return None
        try:
            return decimal_to_minor(amount, settings.CURRENCY)
        except ValueError as error:
            digits = minor_digits(settings.CURRENCY)
            message = ngettext(
                "Please enter a price with at most %(digits)s decimal place.",
                "Please enter a price with at most %(digits)s decimal places.",
                digits,
            )
            raise forms.ValidationError(message, params={"digits": digits}) from error


class FilterForm(forms.Form):
    min_price = PriceField(label=_("From"))
    max_price = PriceField(label=_("To"))
    min_rating = forms.ChoiceField(label=_("Rating"), choices=RATINGS, required=False)
    in_stock = forms.BooleanField(label=_("In stock only"), required=False)
    sort = forms.ChoiceField(label=_("Sort by"), choices=SORTS, required=False)

    def __init__(self, query: QueryDict, *, tree: CategoryTree, category: Category | None = None) -> None:
        """Take the page's category, else the one in the query string. An unreadable value is an error of its field, not a filter."""
        super().__init__(query, auto_id="filter-%s", use_required_attribute=False)
        self.fields["sort"].widget.attrs.update({"form": "filters", "data-submit-on-change": ""})
        self.text = query.get("q", "").replace("\0", " ").strip()[:MAX_TEXT]
        if not self.text:  # nothing to match
            sort = self.fields["sort"]
            assert isinstance(sort, forms.ChoiceField)
            sort.choices = SORTS[1:]
        self.path_category = category
        self.tree = tree
        self.has_ratings = True
        self.category = category or tree.find(query.get("category", ""))
        self.number = _page_number(query.get("page", ""))
        self.is_valid()

    def search_query(self) -> Query:
        chosen = self.cleaned_data
        return Query(
            text=self.text,
            category_ids=self.tree.ids_below(self.category) if self.category else None,
            min_price_minor=chosen.get("min_price"),
            max_price_minor=chosen.get("max_price"),
            min_rating=Decimal(chosen["min_rating"]) if chosen.get("min_rating") else None,
            in_stock=bool(chosen.get("in_stock")),
            sort=chosen.get("sort") or "relevance",
            page=self.number,
            limit=PAGE_SIZE,
        )

    def show_counts(self, facets: Facets) -> None:
        """Write next to each choice how many products it would leave. Without any rating, do not offer ratings."""
        rating, sort = self.fields["min_rating"], self.fields["sort"]
        assert isinstance(rating, forms.ChoiceField)
        assert isinstance(sort, forms.ChoiceField)
        self.has_ratings = bool(facets.ratings)
        if not self.has_ratings:
            sort.choices = [(value, words) for value, words in SORTS if value != "rating" and (self.text or value != "relevance")]
        rating.choices = [(value, f"{words} ({facets.ratings.get(int(value), 0)})" if value else words) for value, words in RATINGS]
        self["in_stock"].label = gettext("In stock only (%(count)s)") % {"count": facets.in_stock}

    def query(self, **changes: str) -> str:
        """Return these filters as a query string, without the page; an empty change removes a filter."""
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
        """Return the parameters that the form must send along although it has no control for them."""
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
