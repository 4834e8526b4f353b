from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.addresses import country_name
from cryptons.unlisted import unlisted
from payments.models import Invoice
from shop.carts import add_to_cart, open_cart
from shop.errors import ShopError
from shop.models import Order
from shop.orders import cancel_own_order, current_invoice
from shop.timeline import read_timeline

PAGE_SIZE = 20

STATUS_TONES = {"pending": "info", "processing": "info", "shipped": "success", "delivered": "success", "cancelled": "warning"}
PAYMENT_TONES = {
    "unpaid": "info",
    "pending": "info",
    "confirming": "info",
    "paid": "success",
    "underpaid": "warning",
    "overpaid": "success",
    "late": "warning",
    "expired": "warning",
    "refunded": "info",
}


@require_safe
@unlisted
def order(request: HttpRequest, access_token: str) -> HttpResponse:
    found = get_object_or_404(Order, access_token=access_token)
    invoice = current_invoice(found)
    context = {
        "order": found,
        "lines": found.lines.all(),
        "country": country_name(found.shipping_address.get("country", "")),
        "timeline": read_timeline(found),
        "invoice": invoice,
        "can_pay": found.status == Order.Status.PENDING and invoice is not None and invoice.status == Invoice.Status.NEW,
        "can_cancel": can_cancel(found),
        "can_order_again": found.status == Order.Status.CANCELLED or found.payment_status == Order.PaymentStatus.EXPIRED,
        "status_tone": STATUS_TONES[found.status],
        "payment_tone": PAYMENT_TONES[found.payment_status],
        "state": state_in_words(found),
    }
    return render(request, "shop/order.html", context)


def can_cancel(order: Order) -> bool:
    """Whether the button is shown; whether it works is decided when it is pressed."""
    return order.status == Order.Status.PENDING and order.payment_status in (Order.PaymentStatus.UNPAID, Order.PaymentStatus.EXPIRED)


def state_in_words(order: Order) -> tuple[str, str]:
    """(tone, sentence): how the order stands and what the buyer can do."""
    status, payment = Order.Status, Order.PaymentStatus
    if order.status == status.CANCELLED:
        if order.payment_status in (payment.UNPAID, payment.EXPIRED):
            return "info", "This order is cancelled. Nothing has to be paid for it."
        return (
            "warning",
            "This order is cancelled. Money that came for it is sent back: please answer your order mail, saying where to.",
        )
    if order.status == status.DELIVERED:
        return "success", "Your order was delivered. Thank you."
    if order.status == status.SHIPPED:
        return "success", "Your order has been shipped."
    if order.on_hold and order.status == status.PROCESSING:
        return "warning", "Your payment needs another look before we can ship. You do not have to do anything; we write to you if you do."
    if order.status == status.PROCESSING:
        return "success", "We are preparing your order." if order.payment_status == payment.UNPAID else "Paid. We are preparing your order."
    match order.payment_status:
        case payment.PENDING | payment.CONFIRMING:
            return "info", "We have seen your payment and wait until the network confirms it."
        case payment.UNDERPAID:
            return "warning", "A part of the price is still to be paid. The payment page says how much, and whether there is time left."
        case payment.LATE:
            return "warning", "Your payment came after the time had run out. We have it: please answer your order mail, and we sort it out."
        case payment.EXPIRED:
            return "warning", "The time to pay ran out. Nothing was charged: you can put the same things into your cart again."
    return "info", "We are waiting for your payment."


@require_http_methods(["GET", "HEAD", "POST"])
@unlisted
def order_cancel(request: HttpRequest, access_token: str) -> HttpResponse:
    """Asks once more, then cancels."""
    found = get_object_or_404(Order, access_token=access_token)
    if request.method == "POST":
        try:
            cancel_own_order(found.pk, at=timezone.now())
        except ShopError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "The order is cancelled.")
        return redirect("shop:order", access_token)
    if not can_cancel(found):
        return redirect("shop:order", access_token)
    return render(request, "shop/order_cancel.html", {"order": found})


@require_POST
@unlisted
def order_again(request: HttpRequest, access_token: str) -> HttpResponse:
    """Put what was ordered into the cart once more."""
    found = get_object_or_404(Order, access_token=access_token)
    for line in found.lines.prefetch_related("product"):
        if line.product is None:
            messages.warning(request, f"{line.name} is no longer sold.")
            continue
        try:
            add_to_cart(open_cart(request), line.product, line.quantity)
        except ShopError as error:
            messages.warning(request, str(error))
    return redirect("shop:cart")


@never_cache
@login_required
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    page = Paginator(Order.objects.filter(user=request.user.pk).order_by("-created_at", "-id"), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "shop/orders.html", {"page": page})
