"""The page on which a buyer continues a payment: another coin, a new quote, or a late payment used at today's rate."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.verification.errors import NotAdmitted
from cryptons.money import UNITS
from cryptons.page_limits import CHECKOUT, TooManyForms, count_against, count_form
from cryptons.private_link import private_link
from payments.errors import NetworkNotOffered, NodeRejected, NodeUnavailable, PaymentError, RateUnavailable
from payments.invoices.requoting import preview_quote
from payments.models import Invoice
from shop.checkout.payment_methods import usable, ways_to_pay
from shop.checkout.requoting import requote_order
from shop.checkout.unpaid_limits import TooManyUnpaid, visitor_of
from shop.errors import ShopError
from shop.models import Order
from shop.orders.access import may_change_payment

LIMIT = "20/hour"
"""For one invoice: each try may use up an address of the shop's wallet."""


@require_http_methods(["GET", "HEAD", "POST"])
@private_link
def quote(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    """Show or make a new quote. A visitor who only has the pay page's address may pay, but not change how."""
    invoice = get_object_or_404(Invoice, pk=invoice_id)
    order = get_object_or_404(Order, pk=invoice.subject_id)
    if not may_change_payment(request, order):
        raise PermissionDenied(_("Only the buyer can change how this order is paid."))
    if request.method != "POST" and "order" in request.GET:  # the key of a link in a mail, which the session remembers now
        return redirect("shop:quote", invoice_id)
    if request.method != "POST":
        return _show(request, invoice, order)
    try:
        count_form(request, CHECKOUT)
        count_against(LIMIT, "quote", str(invoice_id))
    except TooManyForms as error:
        return error.answer(_show(request, invoice, order, chosen=request.POST.get("network", ""), problem=str(error)))
    return _requote(request, invoice, order, request.POST.get("network", "") or order.network)


def _requote(request: HttpRequest, invoice: Invoice, order: Order, network: str) -> HttpResponse:
    try:
        requote_order(order.pk, network, at=timezone.now(), visitor=visitor_of(request))
    except (NodeUnavailable, NodeRejected):
        return _show(request, invoice, order, chosen=network, failed={network: _cannot_be_reached(network)}, status=503)
    except RateUnavailable as error:
        return _show(request, invoice, order, chosen=network, failed={network: str(error)}, status=503)
    except NetworkNotOffered as error:
        return _show(request, invoice, order, chosen=network, failed={network: str(error)}, status=400)
    except TooManyUnpaid as error:
        mine = [other for other in error.orders if may_change_payment(request, other)]
        return _show(request, invoice, order, chosen=network, problem=str(error), open_orders=mine, status=409)
    except NotAdmitted as error:
        return _show(request, invoice, order, chosen=network, problem=str(error), status=403)
    except (ShopError, PaymentError) as error:
        return _show(request, invoice, order, chosen=network, problem=str(error), status=409)
    if Invoice.objects.filter(pk=invoice.pk).exclude(status=Invoice.Status.NEW).exists():
        messages.success(request, _("Thank you. What you paid is enough: you do not have to send anything more."))
    return redirect("shop:pay", invoice.pk)


def _cannot_be_reached(network: str) -> str:
    message = _("%(network)s cannot be reached right now. Nothing was changed: please try again, or choose another way to pay.")
    return message % {"network": UNITS[network].name}


def _show(
    request: HttpRequest,
    invoice: Invoice,
    order: Order,
    *,
    chosen: str = "",
    problem: str = "",
    failed: dict[str, str] | None = None,
    open_orders: Sequence[Order] = (),
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "order": order,
        "invoice": invoice,
        "problem": problem or next(iter((failed or {}).values()), ""),
        "open_orders": open_orders,
        "pay_url": reverse("shop:pay", args=[invoice.pk]),
        "minutes": settings.INVOICE_MINUTES,
    }
    try:
        preview = preview_quote(invoice.pk, at=timezone.now())
    except PaymentError as error:
        context["problem"] = context["problem"] or str(error)
        return render(request, "shop/quote.html", context, status=status)
    ways = ways_to_pay(preview.remaining_minor, failed=failed)
    context |= {"preview": preview, "ways": ways, "chosen": usable(ways, chosen or order.network)}
    return render(request, "shop/quote.html", context, status=status)
