"""The public pages: the same for everybody who has no session, so they set no cookie and hold no token."""

from dataclasses import dataclass

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from cryptons.formats import money
from cryptons.money import UNITS, format_fiat, indicative_coin_price
from cryptons.response_cache import ready_bytes
from payments.networks.registry import offered_networks
from payments.rates.current import current_rates
from shop.catalogue.category_tree import CategoryTree
from shop.catalogue.filter_form import PARAMETERS, FilterForm
from shop.catalogue.reads import (
    CategoryCount,
    Filters,
    Found,
    catalogue_and_rates,
    count_categories,
    find_products,
    find_shown,
    read_categories,
    read_similar,
)
from shop.catalogue.version import catalogue_version
from shop.models import MAX_QUANTITY
from shop.search import PriceRange
from shop.search import suggest as find_suggestions

SHELF = 8
SUGGESTIONS = 8


@dataclass(frozen=True)
class Choice:
    """A facet's line: a link to the same list, narrowed or widened."""

    label: str
    count: int
    url: str
    is_current: bool
    depth: int = 0


@require_safe
@ready_bytes(versions=catalogue_version)
def home(request: HttpRequest) -> HttpResponse:
    newest = find_products(Filters(sort="newest", in_stock=True, limit=SHELF))
    rated = find_products(Filters(sort="rating", in_stock=True, min_rating=None, limit=SHELF), newest.tree)
    best = [product for product in rated.products if product.rating_count]
    return render(request, "shop/home.html", {"newest": newest.products, "best": best, "categories": count_categories(newest, None)})


@require_safe
@ready_bytes(versions=catalogue_version, parameters=PARAMETERS)
def category(request: HttpRequest, slug: str) -> HttpResponse:
    tree = read_categories()
    found = tree.find(slug)
    if found is None:
        raise Http404("Category not found")
    return _list(request, FilterForm(request.GET, tree=tree, category=found), tree, "shop/category.html")


@require_safe
@ready_bytes(versions=catalogue_version, parameters=PARAMETERS)
def search(request: HttpRequest) -> HttpResponse:
    tree = read_categories()
    return _list(request, FilterForm(request.GET, tree=tree), tree, "shop/search.html")


@require_safe
@ready_bytes(versions=catalogue_version, parameters=("q",))
def suggest(request: HttpRequest) -> HttpResponse:
    """A fragment: links to what somebody who typed this far may mean."""
    return render(request, "shop/_suggestions.html", {"suggestions": find_suggestions(request.GET.get("q", ""), SUGGESTIONS)})


@require_safe
@ready_bytes(versions=catalogue_and_rates)
def product(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_shown(slug=slug)
    if found is None:
        raise Http404("Product not found")
    path = read_categories().path(found.category)
    context = {
        "product": found,
        "images": list(found.images.all()),
        "coin_prices": read_coin_prices(found.price_minor),
        "similar": read_similar(found),
        "most": max(1, min(found.stock, MAX_QUANTITY)),
        "crumbs": [("Home", "/"), *((one.name, one.get_absolute_url()) for one in path), (found.name, "")],
    }
    return render(request, "shop/product.html", context)


def read_coin_prices(price_minor: int) -> list[tuple[str, str]]:
    """What a price is about in each coin that the shop takes now: `("BTC", "0.00076908")`. Only an invoice promises an amount."""
    rates = current_rates()
    coins = [coin for coin in dict.fromkeys(UNITS[network].coin for network in offered_networks()) if coin in rates]
    return [(coin, indicative_coin_price(price_minor, minor_per_coin=rates[coin].minor_per_coin, network=coin)) for coin in coins]


def _list(request: HttpRequest, form: FilterForm, tree: CategoryTree, template: str) -> HttpResponse:
    found = find_products(form.filters(), tree)
    if form.number > max(1, found.page.paginator.num_pages):
        query = form.query()
        return redirect(f"{request.path}?{query}" if query else request.path)
    form.show_counts(found.facets)
    path = tree.path(form.category) if form.category else []
    context = {
        "form": form,
        "found": found,
        "category": form.category,
        "query": form.query(),
        "search_text": form.text,
        "choices": _category_choices(form, found),
        "prices": _price_choices(form, found),
        "without_filters": f"{request.path}?{form.query(min_price='', max_price='', min_rating='', in_stock='')}",
        "crumbs": [("Home", "/"), *((one.name, "" if one == form.category else one.get_absolute_url()) for one in path)],
    }
    return render(request, template, context)


def _category_choices(form: FilterForm, found: Found) -> list[Choice]:
    """On a category's page the way leads to other categories' pages; on the search page it stays there."""

    def url(one: CategoryCount) -> str:
        if form.path_category:
            query = form.query()
            return f"{one.category.get_absolute_url()}?{query}" if query else one.category.get_absolute_url()
        return f"?{form.query(category='' if one.is_current else one.category.slug)}"

    offered = count_categories(found, form.category)
    return [Choice(one.category.name, one.count, url(one), one.is_current, one.depth) for one in offered]


def _price_choices(form: FilterForm, found: Found) -> list[Choice]:
    chosen = form.filters()
    choices = []
    for one in found.facets.prices:
        highest = None if one.to_minor is None else one.to_minor - 1
        is_current = (chosen.min_price_minor or 0, chosen.max_price_minor) == (one.from_minor, highest)
        bounds = {"min_price": _amount(one.from_minor), "max_price": "" if highest is None else _amount(highest)}
        query = form.query(**({"min_price": "", "max_price": ""} if is_current else bounds))
        choices.append(Choice(_price_words(one), one.count, f"?{query}", is_current))
    return choices


def _price_words(one: PriceRange) -> str:
    if one.to_minor is None:
        return f"{money(one.from_minor)} and more"
    return f"{money(one.from_minor)} – {money(one.to_minor - 1)}" if one.from_minor else f"Under {money(one.to_minor)}"


def _amount(minor: int) -> str:
    return format_fiat(minor, settings.CURRENCY)
