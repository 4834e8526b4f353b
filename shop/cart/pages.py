from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from cryptons.page_limits import CART, TooManyForms, count_form
from shop.cart.contents import CartContents, add_to_cart, count_items, find_cart, open_cart, read_cart, set_quantity
from shop.cart.forms import AddForm, QuantityForm
from shop.cart.same_origin import same_origin_only
from shop.errors import ShopError
from shop.models import CartItem, Product

REMOVED_KEY = "cart_removed"


@never_cache
@require_safe
def cart(request: HttpRequest) -> HttpResponse:
    removed = request.session.pop(REMOVED_KEY, None) if REMOVED_KEY in request.session else None
    return render(request, "shop/cart.html", {"cart": _contents(request), "removed": removed})


def _contents(request: HttpRequest) -> CartContents:
    """Read the cart with the products' pictures."""
    contents = read_cart(find_cart(request))
    prefetch_related_objects([line.product for line in contents.lines if line.product], "images")
    return contents


@require_POST
@same_origin_only
def cart_add(request: HttpRequest) -> HttpResponse:
    """Add a product. This form has no CSRF token, because the pages that hold it are the same for everybody."""
    try:
        count_form(request, CART)
    except TooManyForms as error:
        return error.answer(_refuse(request, str(error)))
    form = AddForm(request.POST)
    if "product" in form.errors:
        raise Http404(_("Product not found"))
    if not form.is_valid():
        return _refuse(request, _words(form))
    product = Product.objects.listed().filter(pk=form.cleaned_data["product"]).first()
    if product is None:
        raise Http404(_("Product not found"))
    try:
        add_to_cart(open_cart(request), product, form.cleaned_data["quantity"])
    except ShopError as error:
        return _answer(request, product=product, problem=str(error))
    return _answer(request, product=product)


def _is_htmx(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


def _words(form: Form) -> str:
    return " ".join(str(words) for field in form.errors.values() for words in field)


def _refuse(request: HttpRequest, problem: str) -> HttpResponse:
    """Show the problem in the page itself: a new visitor has no session yet that could keep a message."""
    if _is_htmx(request):
        return _answer(request, problem=problem)
    return render(request, "shop/cart.html", {"cart": _contents(request), "problem": problem}, status=400)


def _answer(request: HttpRequest, *, product: Product | None = None, problem: str = "") -> HttpResponse:
    if _is_htmx(request):
        context = {"product": product, "problem": problem, "count": count_items(request)}
        return render(request, "shop/_cart_added.html", context)
    if problem:
        messages.error(request, problem)
    elif product is not None:
        messages.success(request, _("%(product)s is in your cart.") % {"product": product.name})
    return redirect("shop:cart")


@require_POST
def cart_update(request: HttpRequest, item_id: UUID) -> HttpResponse:
    """Change the quantity of a line; 0 (or the button named `remove`) removes it, and the answer offers to undo that."""
    try:
        count_form(request, CART)
    except TooManyForms as error:
        return error.answer(_show_contents(request, problem=str(error)))
    item = CartItem.objects.filter(pk=item_id, cart=find_cart(request)).select_related("product", "cart").first()
    form = QuantityForm({"quantity": 0} if "remove" in request.POST else request.POST)
    problem, removed = "", None
    if item is None:
        problem = _("This line is no longer in your cart.")
    elif not form.is_valid():
        problem = _words(form)
    else:
        was = item.quantity
        try:
            set_quantity(item, form.cleaned_data["quantity"])
        except ShopError as error:
            problem = str(error)
        if not problem and form.cleaned_data["quantity"] == 0:
            removed = {"name": item.name, "product": str(item.product_id or ""), "quantity": was}
    if _is_htmx(request):
        return _show_contents(request, problem=problem, removed=removed)
    if problem:
        messages.error(request, problem)
    if removed:
        request.session[REMOVED_KEY] = removed
    return redirect("shop:cart")


def _show_contents(request: HttpRequest, *, problem: str, removed: dict[str, Any] | None = None) -> HttpResponse:
    """Show the cart with a problem; for htmx only the part of the page that it replaces."""
    context = {"cart": _contents(request), "removed": removed, "problem": problem}
    if _is_htmx(request):
        return render(request, "shop/cart.html#contents", {**context, "is_fragment": True})
    return render(request, "shop/cart.html", context)
