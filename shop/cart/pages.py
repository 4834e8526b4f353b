from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from cryptons.page_limits import CART, TooManyForms, count_form
from shop.cart.contents import CartContents, CartLine, add_to_cart, count_items, find_cart, open_cart, read_cart, set_quantity, set_voucher
from shop.cart.forms import AddForm, QuantityForm
from shop.cart.same_origin import same_origin_only
from shop.cart.voucher_limit import count_code
from shop.errors import ShopError, VoucherRefused
from shop.models import MAX_QUANTITY, CartItem, Product
from shop.pricing.vouchers import as_code

REMOVED_KEY = "cart_removed"
QUANTITY = "quantity-"
"""Begins the name of each line's box; the id of the line follows."""
NEW_VISITOR = "new"
"""In the cart's address after a visitor's first product."""


@dataclass(frozen=True)
class Row:
    """A line as the page's form shows it: with what was typed, and why that was refused."""

    line: CartLine
    typed: str
    error: str = ""

    @property
    def box(self) -> str:
        return f"{QUANTITY}{self.line.item.pk}"

    @property
    def is_refused(self) -> bool:
        return bool(self.error or self.line.problem)

    @property
    def note(self) -> str:
        """What is said at the box: why it is refused, or that it holds all that is left."""
        if self.is_refused or self.line.quantity < self.line.most or self.line.most >= MAX_QUANTITY:
            return self.error or self.line.problem
        return ngettext("Only %(count)s left", "Only %(count)s left", self.line.most) % {"count": self.line.most}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def cart(request: HttpRequest) -> HttpResponse:
    """Show the cart. A POST sets each line to the quantity in its box, and leads to the checkout if that button was pressed."""
    if request.method == "POST":
        return _update(request)
    removed = request.session.pop(REMOVED_KEY, None) if REMOVED_KEY in request.session else None
    return _show(request, problem=_cookies_refused(request), removed=removed)


def _cookies_refused(request: HttpRequest) -> str:
    """Explain the empty cart of a browser that has just added its first product, and did not keep the session's cookie."""
    if NEW_VISITOR not in request.GET or settings.SESSION_COOKIE_NAME in request.COOKIES:
        return ""
    return _("Your browser does not keep cookies of this shop, so the cart stays empty. Please allow cookies and add the product again.")


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


@require_POST
def cart_voucher(request: HttpRequest) -> HttpResponse:
    """Use the voucher that was typed, or with the button named `remove` none."""
    back = "shop:checkout_payment" if request.POST.get("back") == "payment" else "shop:cart"
    code = "" if "remove" in request.POST else as_code(request.POST.get("code", ""))
    cart = find_cart(request)
    try:
        if code:
            count_code(request)
        if cart and (code or "remove" in request.POST):
            set_voucher(cart, code, at=timezone.now())
    except TooManyForms as error:
        return error.answer(_show(request, problem=str(error)))
    except VoucherRefused as error:
        messages.error(request, str(error))
    return redirect(back)


def _is_htmx(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


def _words(form: Form) -> str:
    return " ".join(str(words) for field in form.errors.values() for words in field)


def _refuse(request: HttpRequest, problem: str) -> HttpResponse:
    """Show the problem in the page itself: a new visitor has no session yet that could keep a message."""
    if _is_htmx(request):
        return _answer(request, problem=problem)
    return _show(request, problem=problem, status=400)


def _answer(request: HttpRequest, *, product: Product | None = None, problem: str = "") -> HttpResponse:
    if _is_htmx(request):
        context = {"product": product, "problem": problem, "count": count_items(request), "cart_url": _cart_url(request)}
        return render(request, "shop/_cart_added.html", context)
    if problem:
        messages.error(request, problem)
    elif product is not None:
        messages.success(request, _("%(product)s is in your cart.") % {"product": product.name})
    return redirect(_cart_url(request))


def _cart_url(request: HttpRequest) -> str:
    """Return the cart's address; a visitor whose session has just started is marked, so that the page sees whether cookies are kept."""
    is_new = settings.SESSION_COOKIE_NAME not in request.COOKIES
    return reverse("shop:cart") + (f"?{NEW_VISITOR}" if is_new else "")


def _update(request: HttpRequest) -> HttpResponse:
    """Change the lines; 0 (or the button named `remove`) removes one, and the answer offers to undo that."""
    typed = {name.removeprefix(QUANTITY): str(value) for name, value in request.POST.items() if name.startswith(QUANTITY)}
    removed_id = request.POST.get("remove", "")
    try:
        count_form(request, CART)
    except TooManyForms as error:
        return error.answer(_show(request, typed=typed, problem=str(error)))
    items = {str(item.pk): item for item in CartItem.objects.filter(cart=find_cart(request)).select_related("product", "cart")}
    problem = _("This line is no longer in your cart.") if typed.keys() - items.keys() - {removed_id} else ""
    removed, errors = None, {}
    for item_id, item in items.items():
        quantity = "0" if item_id == removed_id else typed.get(item_id, str(item.quantity)).strip()
        was = item.quantity
        errors[item_id] = _set(item, quantity)
        if not errors[item_id] and item.quantity == 0:
            removed = {"name": item.name, "product": str(item.product_id or ""), "quantity": was}
    is_saved = not problem and not any(errors.values())
    if _is_htmx(request) or not is_saved:
        return _show(request, typed=typed, errors=errors, problem=problem, removed=removed, status=400)
    if removed:
        request.session[REMOVED_KEY] = removed
    return redirect("shop:checkout" if "checkout" in request.POST else "shop:cart")


def _set(item: CartItem, quantity: str) -> str:
    """Set a line's quantity, unless it is that already. Returns why it was refused, for the box."""
    if quantity == str(item.quantity):
        return ""
    form = QuantityForm({"quantity": quantity})
    if not form.is_valid():
        return _words(form)
    try:
        set_quantity(item, form.cleaned_data["quantity"])
    except ShopError as error:
        return f"{error} {_('Your cart still has %(quantity)s.') % {'quantity': item.quantity}}"
    return ""


def _show(
    request: HttpRequest,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    problem: str = "",
    removed: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show the cart. What was refused stays in its box. For htmx, only the part of the page that it replaces."""
    contents, errors = _contents(request), errors or {}
    rows = []
    for line in contents.lines:
        item_id = str(line.item.pk)
        error = errors.get(item_id, "")
        was_kept = error or (problem and item_id in (typed or {}))
        rows.append(Row(line, (typed or {}).get(item_id, "") if was_kept else str(line.quantity), error))
    context = {"cart": contents, "rows": rows, "removed": removed, "problem": problem}
    if not _is_htmx(request):
        return render(request, "shop/cart.html", context, status=status)
    return render(request, "shop/cart.html#contents", {**context, "is_fragment": True})
