from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.addresses import country_name
from cryptons.db import in_transaction
from cryptons.page_holes import COOKIE
from cryptons.page_limits import CART, CHECKOUT, TooManyForms, count_form, limit_forms
from cryptons.private_link import private_link
from payments.models import Invoice
from shop.cart.contents import add_to_cart, open_cart
from shop.errors import ShopError
from shop.models import Order
from shop.orders.access import WAITING, order_page, own_orders
from shop.orders.buyer_view import can_cancel, can_request_refund, can_requote, state_in_words
from shop.orders.forms import FindForm
from shop.orders.lifecycle import cancel_own_order
from shop.orders.listing import find_orders, goods_in_short
from shop.orders.live import page_stream, read_order_marks
from shop.orders.mails import mail_refund_link
from shop.orders.order_link import ask_for_link
from shop.orders.state import current_invoice, received_payments
from shop.orders.timeline import read_timeline
from shop.orders.tones import PAYMENT_TONES, STATUS_TONES

PAGE_SIZE = 20
MANY = 6
"""A list with fewer orders needs no search."""
LONGEST_QUERY = 100


@require_safe
@private_link
@order_page
def order(request: HttpRequest, order: Order) -> HttpResponse:
    seen = read_order_marks([order.pk]).get(order.pk, "")
    order.refresh_from_db()  # after the mark, so that nothing old is shown under a new one
    invoice = current_invoice(order)
    context = {
        "order": order,
        "seen": seen,
        "lines": order.lines.prefetch_related("product__images"),
        "payments": received_payments(order),
        "country": country_name(order.shipping_address.get("country", "")),
        "timeline": read_timeline(order),
        "invoice": invoice,
        "can_pay": order.status == Order.Status.PENDING and invoice is not None and invoice.status == Invoice.Status.NEW,
        "can_requote": invoice is not None and can_requote(order, invoice),
        "can_request_refund": invoice is not None and can_request_refund(order, invoice),
        "can_cancel": can_cancel(order),
        "can_order_again": order.status == Order.Status.CANCELLED or order.payment_status == Order.PaymentStatus.EXPIRED,
        "status_tone": STATUS_TONES[order.status],
        "payment_tone": PAYMENT_TONES[order.payment_status],
        "state": state_in_words(order, invoice),
    }
    response = render(request, "shop/order.html", context)
    if order.payment_status not in WAITING:
        response.delete_cookie(COOKIE)  # the next page makes its header again, without this order
    return response


@require_safe
@private_link
@order_page
def order_stream(request: HttpRequest, order: Order) -> HttpResponse:
    return page_stream(request, order.pk)


@require_safe
@private_link
@order_page
def receipt(request: HttpRequest, order: Order) -> HttpResponse:
    """Show what was ordered and paid, to be printed."""
    context = {
        "order": order,
        "lines": order.lines.all(),
        "country": country_name(order.shipping_address.get("country", "")),
        "payments": received_payments(order),
    }
    return render(request, "shop/receipt.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@private_link
@limit_forms(CHECKOUT)
@order_page
def order_cancel(request: HttpRequest, order: Order) -> HttpResponse:
    """Ask the buyer to confirm, then cancel the order."""
    if request.method == "POST":
        try:
            cancel_own_order(order.pk, at=timezone.now())
        except ShopError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("The order is cancelled."))
        return redirect("shop:order", order.number)
    if not can_cancel(order):
        return redirect("shop:order", order.number)
    return render(request, "shop/order_cancel.html", {"order": order})


@require_http_methods(["GET", "HEAD", "POST"])
@private_link
@limit_forms(CHECKOUT)
@order_page
def request_refund(request: HttpRequest, order: Order) -> HttpResponse:
    """Mail the refund link, only to the order's address, because the link to this page may have been shared."""
    invoice = current_invoice(order)
    if invoice is None or not can_request_refund(order, invoice):
        messages.info(request, _("There is nothing to refund for this order."))
        return redirect("shop:order", order.number)
    if request.method == "POST":
        in_transaction(lambda: mail_refund_link(order, invoice, at=timezone.now()))
        messages.success(request, _("We have sent the link to %(email)s.") % {"email": order.email})
        return redirect("shop:order", order.number)
    return render(request, "shop/refund_request.html", {"order": order})


@require_POST
@private_link
@limit_forms(CART)
@order_page
def order_again(request: HttpRequest, order: Order) -> HttpResponse:
    """Put the order's products into the cart again."""
    for line in order.lines.prefetch_related("product"):
        if line.product is None:
            messages.warning(request, _("%(product)s is no longer sold.") % {"product": line.name})
            continue
        try:
            add_to_cart(open_cart(request), line.product, line.quantity)
        except ShopError as error:
            messages.warning(request, str(error))
    return redirect("shop:cart")


@never_cache
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    """List the orders of the user, or of a guest's session, and offer to look for another one."""
    return _list(request, FindForm())


def _list(request: HttpRequest, form: FindForm, *, problem: str = "") -> HttpResponse:
    own, query = own_orders(request), request.GET.get("q", "").strip()[:LONGEST_QUERY]
    shown = find_orders(own, query) if query else own
    page = Paginator(shown.prefetch_related("lines"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(order, goods_in_short(order)) for order in page.object_list],
        "query": query,
        "can_search": bool(query) or page.paginator.count >= MANY,
        "page_query": urlencode({"q": query}) if query else "",
        "form": form,
        "problem": problem,
        "waiting": WAITING,
    }
    return render(request, "shop/orders.html", context, status=400 if form.errors else 200)


@never_cache
@require_POST
def find_order(request: HttpRequest) -> HttpResponse:
    """Mail an order's link to the address that it was placed with. The answer is the same whether there is such an order or not."""
    form = FindForm(request.POST)
    try:
        count_form(request, CHECKOUT)
    except TooManyForms as error:
        return error.answer(_list(request, form, problem=str(error)))
    if not form.is_valid():
        return _list(request, form)
    ask_for_link(form.cleaned_data["number"], form.cleaned_data["email"])
    messages.info(request, _("If an order with this number and email address exists, we have sent its link to that address."))
    return redirect("shop:orders")


@require_safe
@private_link
@order_page
def order_pay(request: HttpRequest, order: Order) -> HttpResponse:
    """Redirect to the page of the order's current payment."""
    invoice = current_invoice(order)
    return redirect("shop:pay", invoice.pk) if invoice else redirect("shop:order", order.number)
