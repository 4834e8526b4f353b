"""The public pages. They are the same for all visitors without a session, so they set no cookie and contain no CSRF token."""

from dataclasses import dataclass

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
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
    Found,
    count_categories,
    find_products,
    find_shown,
    page_version,
    read_categories,
    read_similar,
)
from shop.catalogue.structured_data import product_json_ld
from shop.catalogue.version import catalogue_version
from shop.models import MAX_QUANTITY
from shop.search import PriceRange, Query
from shop.search import suggest as find_suggestions

SHELF = 8
SUGGESTIONS = 8


@dataclass(frozen=True)
class Choice:
    """A row of a facet: a link to the same list with or without one filter."""

    label: str
    count: int
    url: str
    is_current: bool
    depth: int = 0


@require_safe
@ready_bytes(versions=catalogue_version, holes=True)
def home(request: HttpRequest) -> HttpResponse:
    newest = find_products(Query(sort="newest", in_stock=True, limit=SHELF))
    rated = find_products(Query(sort="rating", in_stock=True, limit=SHELF), newest.tree)
    best = [product for product in rated.products if product.rating_count]
    return render(request, "shop/home.html", {"newest": newest.products, "best": best, "categories": count_categories(newest, None)})


@require_safe
@ready_bytes(versions=lambda slug: catalogue_version(), parameters=PARAMETERS, holes=True)
def category(request: HttpRequest, slug: str) -> HttpResponse:
    tree = read_categories()
    category = tree.find(slug)
    if category is None:
        raise Http404(_("Category not found"))
    return _list(request, FilterForm(request.GET, tree=tree, category=category), tree, "shop/category.html")


@require_safe
@ready_bytes(versions=catalogue_version, parameters=PARAMETERS, holes=True)
def search(request: HttpRequest) -> HttpResponse:
    tree = read_categories()
    return _list(request, FilterForm(request.GET, tree=tree), tree, "shop/search.html")


@require_safe
@ready_bytes(versions=catalogue_version, parameters=("q",))
def suggest(request: HttpRequest) -> HttpResponse:
    """Send a fragment with links to the products that the typed text may mean."""
    return render(request, "shop/_suggestions.html", {"suggestions": find_suggestions(request.GET.get("q", ""), SUGGESTIONS)})


@require_safe
@ready_bytes(versions=page_version, holes=True)
def product(request: HttpRequest, slug: str) -> HttpResponse:
    product = find_shown(slug=slug)
    if product is None:
        raise Http404(_("Product not found"))
    path, images = read_categories().path(product.category), list(product.images.all())
    context = {
        "product": product,
        "images": images,
        "json_ld": product_json_ld(product, images),
        "coin_prices": read_coin_prices(product.price_minor),
        "similar": read_similar(product),
        "most": max(1, min(product.stock, MAX_QUANTITY)),
        "crumbs": [_home(), *((above.name, above.get_absolute_url()) for above in path), (product.name, "")],
    }
    return render(request, "shop/product.html", context)


def read_coin_prices(price_minor: int) -> list[tuple[str, str]]:
    """Convert a price at today's rates into each coin that the shop takes now: `("BTC", "0.00076908")`. Only an invoice fixes an amount."""
    rates = current_rates()
    coins = [coin for coin in dict.fromkeys(UNITS[network].coin for network in offered_networks()) if coin in rates]
    return [(coin, indicative_coin_price(price_minor, minor_per_coin=rates[coin].minor_per_coin, network=coin)) for coin in coins]


def _home() -> tuple[str, str]:
    """The first breadcrumb: its words and its address."""
    return _("Home"), reverse("shop:home")


def _list(request: HttpRequest, form: FilterForm, tree: CategoryTree, template: str) -> HttpResponse:
    found = find_products(form.search_query(), tree)
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
        "crumbs": [_home(), *((above.name, "" if above == form.category else above.get_absolute_url()) for above in path)],
    }
    return render(request, template, context)


def _category_choices(form: FilterForm, found: Found) -> list[Choice]:
    """Link to other categories' pages from a category's page; on the search page, change its filter."""

    def url(row: CategoryCount) -> str:
        if form.path_category:
            query = form.query()
            return f"{row.category.get_absolute_url()}?{query}" if query else row.category.get_absolute_url()
        return f"?{form.query(category='' if row.is_current else row.category.slug)}"

    rows = count_categories(found, form.category)
    return [Choice(row.category.name, row.count, url(row), row.is_current, row.depth) for row in rows]


def _price_choices(form: FilterForm, found: Found) -> list[Choice]:
    chosen = form.search_query()
    choices = []
    for prices in found.facets.prices:
        highest = None if prices.to_minor is None else prices.to_minor - 1
        is_current = (chosen.min_price_minor or 0, chosen.max_price_minor) == (prices.from_minor, highest)
        bounds = {"min_price": _amount(prices.from_minor), "max_price": "" if highest is None else _amount(highest)}
        query = form.query(**({"min_price": "", "max_price": ""} if is_current else bounds))
        choices.append(Choice(_price_label(prices), prices.count, f"?{query}", is_current))
    return choices


def _price_label(prices: PriceRange) -> str:
    if prices.to_minor is None:
        return _("%(price)s and more") % {"price": money(prices.from_minor)}
    if not prices.from_minor:
        return _("Under %(price)s") % {"price": money(prices.to_minor)}
    return f"{money(prices.from_minor)} – {money(prices.to_minor - 1)}"


def _amount(minor: int) -> str:
    return format_fiat(minor, settings.CURRENCY)
