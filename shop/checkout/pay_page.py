"""The third page of the checkout: what to pay, where to, until when, and the payment's state. Its live part costs one query."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from cryptons.api.limits import count
from cryptons.celery import enqueue
from cryptons.client_address import client_ip
from cryptons.coins import CARD, LIGHTNING
from cryptons.formats import money, plain_decimal
from cryptons.money import UNITS
from cryptons.page_holes import COOKIE
from cryptons.page_limits import CART, limit_forms
from cryptons.private_link import private_link
from cryptons.qr_code import qr_svg
from payments.errors import UnknownPlay
from payments.invoices.buyer_view import BuyerView, read_buyer_view
from payments.models import Invoice, Payout
from payments.polling import is_silent
from payments.sync.sandbox_plays import PLAYS, play
from payments.tasks import follow_networks
from shop.checkout.payment_methods import usable, ways_to_pay
from shop.models import Order
from shop.orders.access import may_change_payment, read_return_token
from shop.orders.live import page_stream
from shop.orders.state import current_invoice

STATUS_LIMIT = "600/minute"
"""For one client address: enough for thirty buyers behind it that each ask every three seconds."""

ICONS = {"confirming": "seen", "reorged": "seen", "settled": "paid", "refunded": "paid"}
"""What the favicon shows in which state that does not ask for money; "expired" in all others."""

LOOK_AGAIN = timedelta(hours=2)
"""How long an expired invoice's page still refreshes: the news of a payment in time may arrive late."""


@dataclass(frozen=True)
class PayState:
    """The state of a payment, as the buyer reads it."""

    name: str
    tone: str
    title: str
    text: str
    asks_for_money: bool = False
    seconds: int = 0
    """When the page refreshes; 0 in a final state."""
    quote_words: str = ""
    """The label of the button that leads to a new quote; empty if there is none."""
    can_request_refund: bool = False
    """Whether the buyer can request a refund."""

    @property
    def icon(self) -> str:
        """The favicon, by which a buyer sees the state from their wallet or another tab."""
        name = "waiting" if self.asks_for_money else ICONS.get(self.name, "expired")
        return f"img/pay-{name}.svg"


def describe(view: BuyerView, *, at: datetime, is_wanted: bool = True) -> PayState:
    """Describe the payment's state and what the buyer can do next. Pure. `is_wanted` is false once the order was cancelled."""
    if view.payout_status and view.payout_kind != Payout.Kind.EXCESS:
        return _refunding(view)
    if view.status == Invoice.Status.SETTLED and not is_wanted:
        text = _("You had paid for it. Use the link in our email to tell us where to send your refund.")
        return PayState("cancelled-paid", "warning", _("The order was cancelled"), text, can_request_refund=True)
    match view.status:
        case Invoice.Status.SETTLED:
            return PayState("settled", "success", _("Paid"), _paid_text(view), can_request_refund=_has_excess(view))
        case Invoice.Status.PROCESSING:
            return _confirming(view)
        case Invoice.Status.NEW:
            return _open(view, at=at)
        case Invoice.Status.EXPIRED:
            return _expired(view, at=at)
    if view.paid_seen_minor:
        text = _("We received a payment for it anyway. Use the link in our email to tell us where to send your refund.")
        return PayState("closed-with-money", "warning", _("This payment was closed"), text, can_request_refund=True)
    title = _("Cancelled") if view.status == Invoice.Status.CANCELLED else _("Closed by the shop")
    return PayState("closed", "info", title, _("Please do not send money to this address. You do not have to pay anything."))


def _refunding(view: BuyerView) -> PayState:
    """Describe a refund, which may be of a part; the mail about it says how much."""
    if view.payout_status == Payout.Status.SENT:
        return PayState("refunded", "info", _("Your refund was sent"), _("Please do not send money to this address any more."))
    text = _(
        "Please do not send money to this address any more. "
        "If you have not told us yet where to send your refund, use the link in our email."
    )
    return PayState("refunding", "info", _("Your refund is on its way"), text, can_request_refund=True)


def _has_excess(view: BuyerView) -> bool:
    return "overpaid" in view.flags and view.payout_status != Payout.Status.SENT


def _paid_text(view: BuyerView) -> str:
    text = _("Thank you. Your payment is complete, and we are preparing your order.")
    if "overpaid" not in view.flags:
        return text
    amount = {"amount": money(view.paid_seen_minor - view.price_minor, view.currency)}
    if view.payout_status == Payout.Status.SENT:
        return f"{text} {_('You overpaid by %(amount)s, which we have refunded.') % amount}"
    return f"{text} {_('You overpaid by %(amount)s: use the link in our email to request a refund.') % amount}"


def _confirming(view: BuyerView) -> PayState:
    done, needed = min(view.confirmations, view.confirmations_needed), view.confirmations_needed
    title = ngettext("Seen, %(done)s of %(needed)s confirmation", "Seen, %(done)s of %(needed)s confirmations", needed)
    title %= {"done": done, "needed": needed}
    if "reorged" in view.flags:
        text = _("The network dropped the block with your payment. It usually confirms again automatically; we do not ship until then.")
        return PayState("reorged", "warning", title, text, seconds=5)
    text = _("We have seen your payment. You can close this page: we will email you when it is confirmed.")
    return PayState("confirming", "info", title, text, seconds=3)


def _open(view: BuyerView, *, at: datetime) -> PayState:
    if at >= view.expires_at:
        text = _("We are checking one last time whether a payment arrived in time. Please do not send money now.")
        return PayState("overdue", "warning", _("This quote has expired"), text, seconds=3)
    asking = partial(PayState, asks_for_money=True, seconds=3, quote_words=_("Pay with another coin, or at a new rate"))
    if _is_stuck(view) and not view.counted_minor:
        text = _("Your earlier payment is still not confirmed. Pay this new quote only if you do not want to wait for it.")
        return asking("slow-new", "warning", _("Your payment is not confirmed yet"), text)
    if view.waiting_minor:
        text = _(
            "We have your payment, but its quote had expired when it arrived. "
            "You can use it at today's rate: the next page shows what it is worth."
        )
        return PayState("late", "warning", _("Your payment arrived late"), text, seconds=3, quote_words=_use_it())
    if view.network == CARD and not view.page_url:
        text = _("Something was paid since this quote was made. Get a new quote for the rest.")
        return PayState("card-rest", "warning", _("This quote no longer fits"), text, seconds=3, quote_words=_("Get a new quote"))
    if view.counted_minor:
        rest = {"amount": plain_decimal(view.remaining_text), "coin": UNITS[view.network].symbol}
        text = _("Part of the price has arrived. Please send the rest to this address before the quote expires.")
        return asking("underpaid", "warning", _("%(amount)s %(coin)s still to pay") % rest, text)
    if "double_spent" in view.flags:
        text = _("The coins that you sent were spent elsewhere before they were confirmed. Please pay again before the quote expires.")
        return asking("double-spent", "danger", _("Your payment is no longer valid"), text)
    return asking("waiting", "info", _("Waiting for your payment"), _how_to_pay(view))


def _is_stuck(view: BuyerView) -> bool:
    """Return whether the money that is not counted was not confirmed in time."""
    return bool(view.waiting_minor) and "slow" in view.flags and "late" not in view.flags


def _how_to_pay(view: BuyerView) -> str:
    if view.network == CARD:
        return _("You pay on the page of our payment provider, Stripe, and come back here. We never see the number of your card.")
    if view.network == LIGHTNING:
        return _("Scan the code with your Lightning wallet, or copy the invoice into it.")
    if view.payment_request:
        return _("Scan the code with your wallet, or copy the address or the Lightning invoice. Lightning payments confirm at once.")
    network = UNITS[view.network].name
    return _("Scan the code with your wallet, or copy amount and address. Send exactly this amount in %(network)s.") % {"network": network}


def _use_it() -> str:
    return _("Use it at today's rate")


def _expired(view: BuyerView, *, at: datetime) -> PayState:
    seconds = 15 if at < view.expires_at + LOOK_AGAIN else 0
    if _is_stuck(view):
        text = _(
            "The network has not confirmed your payment, so we no longer reserve the price and the goods. When it confirms, we check "
            "automatically whether we can still accept it: you do not have to pay again. If your wallet can raise the fee, that helps."
        )
        return PayState("slow", "warning", _("Your payment is not confirmed yet"), text, seconds=15)
    if view.waiting_minor:
        text = _("We have your payment. You can use it at today's rate, or request a refund. Our email has a link for each.")
        title = _("Your payment arrived late")
        return PayState("late", "warning", title, text, seconds=seconds, quote_words=_use_it(), can_request_refund=True)
    if view.counted_minor:
        amounts = {
            "paid": money(view.counted_minor, view.currency),
            "price": money(view.price_minor, view.currency),
        }
        text = _("You can pay the rest at today's rate, or request a refund. Our email has a link for each.")
        title = _("%(paid)s of %(price)s received") % amounts
        return PayState("underpaid", "warning", title, text, seconds=seconds, quote_words=_("Pay the rest"), can_request_refund=True)
    new_quote = partial(PayState, seconds=seconds, quote_words=_("Get a new quote"))
    if view.network == CARD and "reorged" in view.flags:
        text = _("The bank has taken the payment back. Please contact us, or pay again by a new quote.")
        return new_quote("taken-back", "danger", _("Your payment is no longer valid"), text)
    if "reorged" in view.flags or "double_spent" in view.flags:
        text = _("The coins that you sent were spent elsewhere. Please do not use this address any more; a new quote has a new address.")
        return new_quote("double-spent-expired", "danger", _("Your payment is no longer valid"), text)
    text = _(
        "Please do not send money to this address any more. "
        "If you paid in time, we will detect it automatically. Otherwise get a new quote."
    )
    return new_quote("expired", "warning", _("This quote has expired"), text)


@require_safe
@private_link
def pay(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    view = _read_view(invoice_id)
    order = Order.objects.filter(pk=view.subject_id).first()
    order = order if order and may_change_payment(request, order) else None
    number = order.number if order else ""
    if "order" in request.GET:  # the key of a link in a mail, which the session remembers now
        return redirect("shop:pay", invoice_id)
    context = _context(view, number, at=timezone.now())
    context |= {"order": order, "lines": order.lines.all() if order else ()}
    if number and context["state"].asks_for_money:
        context["ways"] = ways_to_pay(view.remaining_minor)
        context["chosen"] = usable(context["ways"], view.network)
    return _update_header(render(request, "shop/pay.html", context), context["state"])


@require_safe
@private_link
def pay_return(request: HttpRequest, token: str) -> HttpResponse:
    """Lead a buyer who comes back from the page that charges cards to the page that waits for the fact. Nothing is believed of it."""
    order = Order.objects.filter(number=read_return_token(token)).first()
    invoice = current_invoice(order) if order else None
    if invoice is None:
        raise Http404(_("There is no such payment."))
    return redirect("shop:pay", invoice.pk)


@require_safe
@private_link
def pay_status(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    """Send the live part of the page. Answers 204 while it is still what `seen` names."""
    if refusal := _refuse_often(request):
        return refusal
    context = _context(_read_view(invoice_id), request.GET.get("order", ""), at=timezone.now())
    if request.GET.get("seen") == context["seen"]:
        return HttpResponse(status=204)
    return _update_header(render(request, "shop/pay.html#live", {**context, "is_fragment": True}), context["state"])


@require_safe
@private_link
def pay_stream(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    """Tell the page when to ask for its live part."""
    if refusal := _refuse_often(request):
        return refusal
    return page_stream(request, _read_view(invoice_id).subject_id)


def _refuse_often(request: HttpRequest) -> HttpResponse | None:
    allowed, headers = count(STATUS_LIMIT, "pay", client_ip(request))
    if allowed:
        return None
    return HttpResponse(_("Too many requests. Please wait."), status=429, headers=headers, content_type="text/plain")


def _update_header(response: HttpResponse, state: PayState) -> HttpResponse:
    """Remove the order from the header of the next page, unless its payment is still missing."""
    if not state.asks_for_money:
        response.delete_cookie(COOKIE)
    return response


@require_POST
@limit_forms(CART)
def sandbox_play(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    """Play one of the sandbox's cases, for the buttons on the pay page."""
    action = request.POST.get("play", "")
    try:
        play(invoice_id, action, at=timezone.now())
    except (UnknownPlay, Invoice.DoesNotExist) as error:
        raise Http404(str(error)) from error
    enqueue(follow_networks)
    messages.info(request, _("Sandbox: %(action)s. This page refreshes in a few seconds.") % {"action": PLAYS[action]})
    return redirect("shop:pay", invoice_id)


def _is_wanted(view: BuyerView) -> bool:
    """Tell whether the order of a paid invoice still stands; an unpaid invoice closes with its order."""
    if view.status != Invoice.Status.SETTLED:
        return True
    return not Order.objects.filter(pk=view.subject_id, status=Order.Status.CANCELLED).exists()


def _read_view(invoice_id: UUID) -> BuyerView:
    try:
        return read_buyer_view(invoice_id)
    except Invoice.DoesNotExist:
        raise Http404(_("There is no such payment.")) from None


def _context(view: BuyerView, number: str, *, at: datetime) -> dict[str, Any]:
    state = describe(view, at=at, is_wanted=_is_wanted(view))
    is_delayed = bool(state.seconds) and is_silent(view.answered_at or view.created_at, at=at)
    shown = (state, view.destination, view.remaining_base, view.paid_seen_minor, is_delayed)
    return {
        "view": view,
        "unit": UNITS[view.network],
        "state": state,
        "icon": state.icon,
        "step": 4 if state.name == "settled" else 3,
        "rate": money(int(view.minor_per_coin), view.currency),
        "is_delayed": is_delayed,
        "seen": hashlib.sha256(repr(shown).encode()).hexdigest()[:16],
        "is_card": view.network == CARD,
        "qr": qr_svg(view.uri) if state.asks_for_money and view.network != CARD else "",
        "paid_percent": int(view.paid_share * 100),
        "order_number": number,
        **_urls(view, number),
    }


def _urls(view: BuyerView, number: str) -> dict[str, str]:
    """Make the addresses of the order's pages; empty without its number, or with one that cannot be valid."""
    try:
        return {
            "order_url": reverse("shop:order", args=[number]),
            "request_refund_url": reverse("shop:request_refund", args=[number]),
            "receipt_url": reverse("shop:receipt", args=[number]),
            "quote_url": reverse("shop:quote", args=[view.invoice_id]),
        }
    except NoReverseMatch:
        return {}
