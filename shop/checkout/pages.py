"""The first two of the checkout's three pages; the third is the pay page."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.addresses import country_name
from accounts.models import User
from accounts.tokens import forget_user
from accounts.verification.errors import NotAdmitted, VerificationNeeded
from accounts.verification.gate import need_of
from cryptons.money import UNITS
from cryptons.page_limits import CHECKOUT, TooManyForms, count_form
from payments.errors import NetworkNotOffered, NodeRejected, NodeUnavailable, RateUnavailable
from shop.cart.contents import CartContents, find_cart, read_cart
from shop.checkout.forms import CheckoutForm, PlaceForm
from shop.checkout.payment_methods import usable, ways_to_pay
from shop.checkout.placing import place_order, placed_order
from shop.checkout.unpaid_limits import TooManyUnpaid, visitor_of
from shop.errors import CartChanged, OrderMoved, OutOfRange, ShopError, TermsChanged, TermsNotAccepted
from shop.models import Order
from shop.orders.access import may_change_payment, open_orders, remember_order
from shop.orders.state import current_invoice
from shop.settings.terms import terms_to_accept

BUYER_KEY = "checkout"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest) -> HttpResponse:
    contents = read_cart(find_cart(request))
    if not contents.can_be_ordered:
        return _without_cart(request, contents)
    user = _user(request)
    kept = request.session.get(BUYER_KEY)
    form = CheckoutForm(request.POST or None, initial=_initial(user, kept), has_account=user is not None)
    if request.method == "POST":
        try:
            count_form(request, CHECKOUT)
        except TooManyForms as error:
            form.add_error(None, str(error))
            return error.answer(render(request, "shop/checkout.html", {"form": form, "cart": contents}))
    if request.method == "POST" and form.is_valid():
        request.session[BUYER_KEY] = {
            "email": form.cleaned_data["email"],
            "address": form.address(),
            "save_address": form.cleaned_data.get("save_address", False),
        }
        return redirect("shop:checkout_payment")
    need = need_of(user.pk if user else None, contents.total_minor, at=timezone.now())
    context = {"form": form, "cart": contents, "need": need}
    return render(request, "shop/checkout.html", context, status=400 if form.errors else 200)


def _initial(user: User | None, kept: dict[str, Any] | None) -> dict[str, Any]:
    if kept:
        return {"email": kept["email"], "save_address": kept["save_address"], **kept["address"]}
    if user:
        return {"email": user.email, "save_address": not user.address, "name": user.get_full_name(), **user.address}
    return {}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def checkout_payment(request: HttpRequest) -> HttpResponse:
    contents = read_cart(find_cart(request))  # before the look for an order, because the request that places it empties the cart
    form = PlaceForm(request.POST)
    if request.method == "POST" and form.is_valid():
        placed = placed_order(form.cleaned_data["token"], _user(request))
        if placed:
            remember_order(request, placed)
            return _to_payment(placed)
    buyer = request.session.get(BUYER_KEY)
    if not contents.can_be_ordered:
        return _without_cart(request, contents)
    if not buyer:
        return redirect("shop:checkout")
    if request.method != "POST":
        user = _user(request)
        known = {"email": buyer["email"], "address": buyer["address"]}
        need = need_of(user.pk if user else None, contents.total_minor, at=timezone.now(), **known)
        return _review(request, contents, buyer, problem=str(need or ""), next_step=need.url if need else "")
    try:
        count_form(request, CHECKOUT)
    except TooManyForms as error:
        return error.answer(_review(request, contents, buyer, chosen=request.POST.get("network", ""), problem=str(error)))
    if not form.is_valid():
        problem = _("Please choose how to pay.") if "network" in form.errors else _("Please check your order again.")
        return _review(request, contents, buyer, problem=problem, status=400)
    return _place(request, contents, buyer, form.cleaned_data)


def _place(request: HttpRequest, contents: CartContents, buyer: dict[str, Any], chosen: dict[str, Any]) -> HttpResponse:
    user, network = _user(request), chosen["network"]
    assert contents.cart is not None
    try:
        placed = place_order(
            contents.cart,
            email=buyer["email"],
            user=user,
            address=buyer["address"],
            network=network,
            at=timezone.now(),
            token=chosen["token"],
            agreed=chosen["agreed"],
            language=get_language() or "",
            visitor=visitor_of(request),
            accepted=chosen["terms"],
        )
    except (NodeUnavailable, NodeRejected):
        return _review(request, contents, buyer, chosen=network, failed={network: _cannot_be_reached(network)})
    except RateUnavailable as error:
        return _review(request, contents, buyer, chosen=network, failed={network: str(error)})
    except NetworkNotOffered as error:
        return _review(request, contents, buyer, chosen=network, failed={network: str(error)}, status=400)
    except (CartChanged, OrderMoved, OutOfRange) as error:
        now = read_cart(find_cart(request))
        if not now.can_be_ordered:
            return _without_cart(request, now)
        changes = price_changes(now, chosen["agreed"])
        return _review(request, now, buyer, chosen=network, problem=str(error), changes=changes, status=409)
    except (TermsNotAccepted, TermsChanged) as error:
        status = 400 if isinstance(error, TermsNotAccepted) else 409
        return _review(request, contents, buyer, chosen=network, terms_problem=str(error), status=status)
    except NotAdmitted as error:
        return _review(request, contents, buyer, chosen=network, problem=str(error), next_step=next_step(error), status=403)
    except TooManyUnpaid as error:
        mine = [order for order in error.orders if may_change_payment(request, order)]
        return _review(request, contents, buyer, chosen=network, problem=str(error), open_orders=mine, status=409)
    except ShopError as error:
        messages.error(request, str(error))
        return redirect("shop:cart")
    request.session.pop(BUYER_KEY, None)
    remember_order(request, placed.order)
    if user and buyer["save_address"]:
        User.objects.filter(pk=user.pk).update(address=buyer["address"])
        forget_user(user.pk)
    return _to_payment(placed.order)


def next_step(error: NotAdmitted) -> str:
    """Return where the buyer is verified, if that is what the order needs."""
    return error.url if isinstance(error, VerificationNeeded) else ""


def _cannot_be_reached(network: str) -> str:
    message = _("%(network)s cannot be reached right now. Nothing was ordered and your cart is kept.")
    return message % {"network": UNITS[network].name}


def price_changes(contents: CartContents, agreed: str) -> list[tuple[str, int, int]]:
    """List (name, price that the buyer saw, price now) of each line whose price has changed."""
    seen: dict[str, int] = {}
    for part in agreed.split(","):
        product_id, rest = part.partition(":")[::2]
        price = rest.rpartition(":")[2]
        if price.isascii() and price.isdigit() and len(price) < 19:
            seen[product_id] = int(price)
    return [
        (line.name, seen[key], line.price_minor)
        for line in contents.lines
        if (key := str(line.item.product_id)) in seen and seen[key] != line.price_minor
    ]


def _review(
    request: HttpRequest,
    contents: CartContents,
    buyer: dict[str, Any],
    *,
    chosen: str = "",
    problem: str = "",
    failed: dict[str, str] | None = None,
    changes: list[tuple[str, int, int]] | None = None,
    open_orders: Sequence[Order] = (),
    next_step: str = "",
    terms_problem: str = "",
    status: int = 200,
) -> HttpResponse:
    ways = ways_to_pay(contents.total_minor, failed=failed)
    chosen, terms = usable(ways, chosen), terms_to_accept()
    context = {
        "cart": contents,
        "email": buyer["email"],
        "address": buyer["address"],
        "country": country_name(buyer["address"]["country"]),
        "ways": ways,
        "chosen": chosen,
        "can_pay": bool(chosen),
        "problem": problem or terms_problem or next(iter((failed or {}).values()), ""),
        "changes": changes or [],
        "open_orders": open_orders,
        "next_step": next_step,
        "terms": terms,
        "terms_problem": terms_problem,
        "accepted": terms is not None and request.POST.get("terms", "") == str(terms.version_id),
        "token": uuid.uuid4(),
        "minutes": settings.INVOICE_MINUTES,
    }
    return render(request, "shop/checkout_payment.html", context, status=status)


def _without_cart(request: HttpRequest, contents: CartContents) -> HttpResponse:
    """Answer a checkout without a cart that can be ordered. An empty one was ordered already, in another tab or before going back."""
    order = None
    if not contents.lines:
        request.session = type(request.session)(request.session.session_key)  # the order may be newer than what was read of it
        order = open_orders(request).first()
    return _to_payment(order) if order else redirect("shop:cart")


def _to_payment(order: Order) -> HttpResponse:
    invoice = current_invoice(order)
    return redirect("shop:pay", invoice.pk) if invoice else redirect("shop:order", order.number)


def _user(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None
