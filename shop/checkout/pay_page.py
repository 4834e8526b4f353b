"""The third page of the checkout: what to pay, where to, how long, and how it stands. Its live part costs one query."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import segno
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_POST, require_safe

from cryptons.api.limits import client_ip, count
from cryptons.celery import enqueue
from cryptons.coins import LIGHTNING
from cryptons.money import UNITS, format_fiat
from cryptons.private_link import unlisted
from payments.errors import NetworkNotOffered, UnknownPlay
from payments.invoices.buyer_view import Progress, read_progress
from payments.models import Invoice, Payout
from payments.sync.sandbox_plays import PLAYS, play
from payments.tasks import follow_networks
from shop.checkout.payment_methods import usable, ways_to_pay
from shop.models import Order
from shop.orders.access import may_change_payment

STATUS_LIMIT = "600/minute"
"""Of one client address: thirty buyers behind it, each asking every three seconds."""

LOOK_AGAIN = timedelta(hours=2)
"""How long an expired invoice's page still asks: money that was sent in time may be told late."""


@dataclass(frozen=True)
class PayState:
    """How a payment stands, in the buyer's words."""

    name: str
    tone: str
    title: str
    text: str
    asks_for_money: bool = False
    seconds: int = 0
    """When to look again; 0 at a final state."""
    quote_words: str = ""
    """What the button says that leads to a fresh quote; empty where there is none."""
    can_have_back: bool = False
    """Money is there that its buyer may have back."""


IN_THE_MAIL = "The mail that we sent you has a link for each."


def describe(progress: Progress, *, at: datetime, is_wanted: bool = True) -> PayState:
    """Every state has its words and what to do next. Pure. `is_wanted` is false once the order was cancelled."""
    if progress.payout_status and progress.payout_kind != Payout.Kind.EXCESS:
        return _going_back(progress)
    if progress.status == Invoice.Status.SETTLED and not is_wanted:
        text = "It was paid before. The mail that we sent you has a link by which you say where to send your money back."
        return PayState("cancelled-paid", "warning", "The order was cancelled", text, can_have_back=True)
    match progress.status:
        case Invoice.Status.SETTLED:
            return PayState("settled", "success", "Paid", _paid_text(progress), can_have_back=_has_excess(progress))
        case Invoice.Status.PROCESSING:
            return _confirming(progress)
        case Invoice.Status.NEW:
            return _open(progress, at=at)
        case Invoice.Status.EXPIRED:
            return _expired(progress, at=at)
    if progress.paid_seen_minor:
        text = "Money came for it all the same. We have it: the mail that we sent you has a link by which you say where to send it back."
        return PayState("closed-with-money", "warning", "This payment was closed", text, can_have_back=True)
    title = "Cancelled" if progress.status == Invoice.Status.CANCELLED else "Closed by the shop"
    return PayState("closed", "info", title, "Please do not send money to this address. Nothing has to be paid.")


def _going_back(progress: Progress) -> PayState:
    """A refund may be a part of what an order took; the mail about it says how much."""
    is_refund = progress.payout_kind == Payout.Kind.REFUND
    if progress.payout_status == Payout.Status.SENT:
        title = "Your refund was sent" if is_refund else "Your money was sent back"
        return PayState("sent-back", "info", title, "Please do not send money to this address any more.")
    title = "Your refund is on its way" if is_refund else "Your money goes back to you"
    text = "Please do not send money to this address any more. If you have not said yet where to: the mail that we sent you has a link."
    return PayState("going-back", "info", title, text, can_have_back=True)


def _has_excess(progress: Progress) -> bool:
    return "overpaid" in progress.flags and progress.payout_status != Payout.Status.SENT


def _paid_text(progress: Progress) -> str:
    text = "Thank you. Your payment is complete, and we are preparing your order."
    if "overpaid" not in progress.flags:
        return text
    over = f"{format_fiat(progress.paid_seen_minor - progress.price_minor, progress.currency)} {progress.currency}"
    if progress.payout_status == Payout.Status.SENT:
        return f"{text} What you paid too much ({over}) was sent back."
    return f"{text} You paid {over} too much: the mail that we sent you has a link by which you have it sent back."


def _confirming(progress: Progress) -> PayState:
    done, needed = min(progress.confirmations, progress.confirmations_needed), progress.confirmations_needed
    title = f"Seen, {done} of {needed} confirmation{'' if needed == 1 else 's'}"
    if "reorged" in progress.flags:
        text = "The network took the block with your payment back. It usually confirms again by itself; nothing ships until then."
        return PayState("reorged", "warning", title, text, seconds=5)
    text = "We have seen your payment. You can close this page: a mail tells you when it is confirmed."
    return PayState("confirming", "info", title, text, seconds=3)


OTHER_WAY = "Pay with another coin, or at a fresh rate"


def _open(progress: Progress, *, at: datetime) -> PayState:
    unit = UNITS[progress.network]
    if at >= progress.expires_at:
        text = "We look one last time whether a payment came in time. Please do not send money now."
        return PayState("overdue", "warning", "The time has run out", text, seconds=3)
    asking = partial(PayState, asks_for_money=True, seconds=3, quote_words=OTHER_WAY)
    if progress.waiting_minor:
        text = "We have your money, but its quote had ended when it came. Take it at today's rate: the next page shows what it is worth."
        return PayState("late", "warning", "Your payment came late", text, seconds=3, quote_words=TAKE_IT)
    if progress.counted_minor:
        title = f"{progress.remaining_text} {unit.coin} still to pay"
        text = "A part of the price has come. Please send the rest to this address before the time runs out."
        return asking("underpaid", "warning", title, text)
    if "double_spent" in progress.flags:
        text = "The coins that you sent were spent elsewhere before they were confirmed. Please pay again before the time runs out."
        return asking("double-spent", "danger", "The payment was taken back", text)
    text = f"Scan the code with your wallet, or copy amount and address. Send exactly this amount in {unit.name}."
    if progress.network == LIGHTNING:
        text = "Scan the code with your Lightning wallet, or copy the invoice into it."
    elif progress.payment_request:
        text = "Scan the code with your wallet, on the chain or over Lightning, which is there at once. Or copy address or invoice."
    return asking("waiting", "info", "Waiting for your payment", text)


FRESH = "Get a fresh quote"
TAKE_IT = "Pay with it at today's rate"
PAY_REST = "Pay the rest"


def _expired(progress: Progress, *, at: datetime) -> PayState:
    seconds = 15 if at < progress.expires_at + LOOK_AGAIN else 0
    if progress.waiting_minor:
        text = f"We have your money. You can pay with it at today's rate, or have it sent back. {IN_THE_MAIL}"
        title = "Your payment came late"
        return PayState("late", "warning", title, text, seconds=seconds, quote_words=TAKE_IT, can_have_back=True)
    if progress.counted_minor:
        paid = f"{format_fiat(progress.counted_minor, progress.currency)} {progress.currency}"
        text = f"{paid} came, which is too little. You can pay the rest at today's rate, or have it sent back. {IN_THE_MAIL}"
        title = "Only a part was paid"
        return PayState("partial", "warning", title, text, seconds=seconds, quote_words=PAY_REST, can_have_back=True)
    if "reorged" in progress.flags or "double_spent" in progress.flags:
        text = "The coins that you sent were spent elsewhere. Please do not use this address any more; a fresh quote has a new one."
        return PayState("taken-back", "danger", "The payment was taken back", text, seconds=seconds, quote_words=FRESH)
    text = "Please do not send money to this address any more. If you sent it in time, it is found by itself. Else get a fresh quote."
    return PayState("expired", "warning", "The time has run out", text, seconds=seconds, quote_words=FRESH)


@require_safe
@unlisted
def pay(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    progress = _progress(invoice_id)
    order = Order.objects.filter(pk=progress.subject_id).first()
    key = order.access_token if order and may_change_payment(request, order) else ""
    context = _context(progress, key, at=timezone.now())
    if key and context["state"].asks_for_money:
        context["ways"] = ways_to_pay(progress.remaining_minor)
        context["chosen"] = usable(context["ways"], progress.network)
    return render(request, "shop/pay.html", context)


@require_safe
@unlisted
def pay_status(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    """The live part alone. 204 while it still is what `seen` says."""
    allowed, headers = count(STATUS_LIMIT, "pay", client_ip(request))
    if not allowed:
        return HttpResponse("Too many requests. Please wait.", status=429, headers=headers, content_type="text/plain")
    context = _context(_progress(invoice_id), request.GET.get("order", ""), at=timezone.now())
    if request.GET.get("seen") == context["seen"]:
        return HttpResponse(status=204)
    return render(request, "shop/pay.html#live", {**context, "is_fragment": True})


@require_POST
def sandbox_play(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    """The pay page's buttons in the sandbox."""
    act = request.POST.get("play", "")
    try:
        play(invoice_id, act, at=timezone.now())
    except (NetworkNotOffered, UnknownPlay, Invoice.DoesNotExist) as error:
        raise Http404(str(error)) from error
    enqueue(follow_networks)
    messages.info(request, f"Sandbox: {PLAYS[act].lower()}. The page follows in a few seconds.")
    return redirect("shop:pay", invoice_id)


def _is_wanted(progress: Progress) -> bool:
    """Asked of what is paid alone: what is not closes with its order."""
    if progress.status != Invoice.Status.SETTLED:
        return True
    return not Order.objects.filter(pk=progress.subject_id, status=Order.Status.CANCELLED).exists()


def _progress(invoice_id: UUID) -> Progress:
    try:
        return read_progress(invoice_id)
    except Invoice.DoesNotExist:
        raise Http404("There is no such payment.") from None


def _context(progress: Progress, key: str, *, at: datetime) -> dict[str, Any]:
    state = describe(progress, at=at, is_wanted=_is_wanted(progress))
    shown = (state, progress.destination, progress.remaining_base, progress.paid_seen_minor)
    return {
        "progress": progress,
        "unit": UNITS[progress.network],
        "state": state,
        "seen": hashlib.sha256(repr(shown).encode()).hexdigest()[:16],
        "qr": qr_svg(progress.uri) if state.asks_for_money else "",
        "paid_percent": int(progress.paid_share * 100),
        "order_key": key,
        **_urls(progress, key),
    }


def _urls(progress: Progress, key: str) -> dict[str, str]:
    """Empty without a key, or with one that cannot be one."""
    try:
        return {
            "order_url": reverse("shop:order", args=[key]),
            "money_back_url": reverse("shop:money_back", args=[key]),
            "quote_url": f"{reverse('shop:quote', args=[progress.invoice_id])}?{urlencode({'order': key})}",
        }
    except NoReverseMatch:
        return {}


LONG = 150
"""A code of so many letters gets fewer for mending, so that its dots stay large enough for a phone's camera."""


def qr_svg(text: str) -> SafeString:
    """Dark on white whatever the page's colours, with the four modules of quiet space that scanners need."""
    svg = segno.make_qr(text, error="l" if len(text) > LONG else "m").svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="pay__qr", lineclass=None
    )
    return mark_safe(svg)  # noqa: S308 (segno's own drawing; the text is only in its dots)
