from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.addresses import country_name
from cryptons.db import in_transaction
from cryptons.private_link import unlisted
from payments.models import Invoice
from shop.cart.contents import add_to_cart, open_cart
from shop.errors import ShopError
from shop.models import Order
from shop.orders.lifecycle import CLOSED, cancel_own_order, current_invoice
from shop.orders.mails import mail_money_back_again
from shop.orders.timeline import read_timeline

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
        "can_requote": invoice is not None and can_requote(found, invoice),
        "can_have_back": invoice is not None and can_have_back(found, invoice),
        "can_cancel": can_cancel(found),
        "can_order_again": found.status == Order.Status.CANCELLED or found.payment_status == Order.PaymentStatus.EXPIRED,
        "status_tone": STATUS_TONES[found.status],
        "payment_tone": PAYMENT_TONES[found.payment_status],
        "state": state_in_words(found, invoice),
    }
    return render(request, "shop/order.html", context)


def can_requote(order: Order, invoice: Invoice) -> bool:
    """Whether the button is shown; whether it works is decided when it is pressed."""
    return order.status != Order.Status.CANCELLED and invoice.status == Invoice.Status.EXPIRED


def can_have_back(order: Order, invoice: Invoice) -> bool:
    """Whether money is there that the order does not take. What became of it, the page behind the mailed link tells."""
    if not invoice.paid_seen_minor or order.payment_status == Order.PaymentStatus.REFUNDED:
        return False
    return (
        order.status == Order.Status.CANCELLED
        or invoice.status in CLOSED
        or (invoice.status == Invoice.Status.SETTLED and "over" in invoice.flags)
    )


def can_cancel(order: Order) -> bool:
    """Whether the button is shown; whether it works is decided when it is pressed."""
    return order.status == Order.Status.PENDING and order.payment_status in (Order.PaymentStatus.UNPAID, Order.PaymentStatus.EXPIRED)


def state_in_words(order: Order, invoice: Invoice | None) -> tuple[str, str]:
    """(tone, sentence): how the order stands and what the buyer can do."""
    status, payment = Order.Status, Order.PaymentStatus
    if order.payment_status == payment.REFUNDED and order.status not in (status.SHIPPED, status.DELIVERED):
        return "info", f"{'This order is cancelled, and your' if order.status == status.CANCELLED else 'Your'} money was sent back to you."
    if order.status == status.CANCELLED:
        if order.payment_status in (payment.UNPAID, payment.EXPIRED):
            return "info", "This order is cancelled. Nothing has to be paid for it."
        return "warning", "This order is cancelled. Money that came for it goes back to you: a mail from us has a link to say where to."
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
        case payment.UNDERPAID if invoice is not None and invoice.status == Invoice.Status.NEW:
            return "warning", "A part of the price is still to be paid. The payment page says how much, and how long it waits."
        case payment.UNDERPAID:
            return "warning", "A part of the price is still to be paid. You can pay the rest at today's rate, or have your money sent back."
        case payment.LATE:
            return "warning", "Your payment came after the time had run out. You can pay with it at today's rate, or have it sent back."
        case payment.EXPIRED:
            return "warning", "The time to pay ran out. Nothing was charged: you can get a fresh quote for this order."
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


@require_http_methods(["GET", "HEAD", "POST"])
@unlisted
def money_back(request: HttpRequest, access_token: str) -> HttpResponse:
    """Mails the link by which a buyer says where their money shall go: to the order's address alone, since this page may be passed on."""
    found = get_object_or_404(Order, access_token=access_token)
    invoice = current_invoice(found)
    if invoice is None or not can_have_back(found, invoice):
        messages.info(request, "There is no money to send back for this order.")
        return redirect("shop:order", access_token)
    if request.method == "POST":
        in_transaction(lambda: mail_money_back_again(found, invoice, at=timezone.now()))
        messages.success(request, f"We have sent the link to {found.email}.")
        return redirect("shop:order", access_token)
    return render(request, "shop/money_back.html", {"order": found})


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
