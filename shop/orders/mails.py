"""The mails to buyers, each sent once. Only rows are written here, in the transaction of what the mail is about."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.addresses import country_name
from cryptons.coins import CARD
from cryptons.formats import coins, long_moment, money, plain_decimal, text_list
from cryptons.languages import path_of
from cryptons.mail.models import Mail
from cryptons.mail.queueing import queue_mail, render_mail
from cryptons.mail.staff import mail_staff
from cryptons.money import UNITS
from payments.invoices.refundable import in_base, unreturned
from payments.models import Invoice, Option, Payment, Payout
from payments.payouts.refund_links import refund_path
from shop.models import Order

P = ParamSpec("P")
R = TypeVar("R")


def _in_the_buyers_language(mail: Callable[Concatenate[Order, P], R]) -> Callable[Concatenate[Order, P], R]:
    """Write words, amounts and links of the mail in the language in which the order was placed."""

    @wraps(mail)
    def mail_in_language(order: Order, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with translation.override(order.language or settings.LANGUAGE_CODE):
            return mail(order, *args, **kwargs)

    return mail_in_language


@_in_the_buyers_language
def order_received(order: Order, invoice: Invoice, option: Option) -> Mail:
    """Render the mail about an order that is not stored yet: done in its transaction, this would make others wait longer."""
    context = {
        "order": {"number": order.number},
        **_contents(order),
        "amount": f"{plain_decimal(option.due_text)} {UNITS[option.network].symbol}",
        "until": long_moment(invoice.expires_at),
        "pay_url": _link("pay", order, invoice),
        "order_url": _order_url(order),
    }
    return render_mail(received_key(order), to=order.email, template="shop/mail/order_received", context=context, is_kept=True)


def received_key(order: Order) -> str:
    return f"order-received:{order.pk}"


@_in_the_buyers_language
def mail_order_link(order: Order, *, at: datetime) -> None:
    """Mail the link to the order's page, at most once an hour: strangers can ask for it, too."""
    queue_mail(f"order-link:{order.pk}:{at:%Y-%m-%dT%H}", **_content("order_link", order))


@_in_the_buyers_language
def mail_order_shipped(order: Order) -> None:
    _mail("order_shipped", f"order-shipped:{order.pk}", order)


@_in_the_buyers_language
def mail_order_cancelled(order: Order, *, reason: str, is_paid: bool) -> None:
    """Mail that staff cancelled the order. `reason` is what they tell the buyer, and may be empty."""
    _mail("order_cancelled", f"order-cancelled:{order.pk}", order, reason=reason, is_paid=is_paid)


@_in_the_buyers_language
def mail_order_expired(order: Order, invoice: Invoice) -> None:
    """Mail a link to a new quote, once for an order."""
    _mail("order_expired", expired_key(order), order, quote_url=_link("quote", order, invoice))


def expired_key(order: Order) -> str:
    return f"order-expired:{order.pk}"


@_in_the_buyers_language
def mail_refund_asked(order: Order, payout: Payout) -> None:
    _mail(
        "refund_asked", f"refund-asked:{payout.pk}", order, refund_url=settings.PUBLIC_URL + refund_path(payout.invoice_id), **_back(payout)
    )


@_in_the_buyers_language
def mail_refund_sent(order: Order, payout: Payout) -> None:
    way = ":other" if payout.network == CARD and not payout.is_to_card else ""  # the mail about the card may have been sent before
    _mail("refund_sent", f"refund-sent:{payout.pk}{way}", order, **_back(payout))


def _back(payout: Payout) -> dict[str, str]:
    amount = f"{plain_decimal(payout.amount_text)} {UNITS[payout.network].symbol}"
    destination = payout.destination
    if payout.network == CARD:
        destination = _("the card that paid") if payout.is_to_card else _("you as agreed, because the card did not take it")
    return {"amount": amount, "destination": destination, "reference": payout.reference or ""}


@_in_the_buyers_language
def mail_about_money(order: Order, invoice: Invoice) -> None:
    """Mail what the invoice's new state means for the buyer: paid, overpaid, underpaid, late, slow, or taken back by the network."""
    status, closed = Invoice.Status, (Invoice.Status.CANCELLED, Invoice.Status.INVALID)
    if order.status == Order.Status.CANCELLED or invoice.status in closed:
        if invoice.paid_seen_minor:
            mail_refund_needed(order, invoice)
    elif invoice.status == status.SETTLED:
        _mail("payment_confirmed", _confirmed_key(order, invoice), order, received=_received(invoice))
        if "overpaid" in invoice.flags:
            _mail_with_choices("payment_overpaid", order, invoice)
    else:
        _mail_about_lost_money(order, invoice)
        _mail_about_missing_money(order, invoice)


def _mail_about_lost_money(order: Order, invoice: Invoice) -> None:
    """Mail about a payment that the network no longer has, or no longer confirms."""
    if "double_spent" in invoice.flags:
        _mail_with_choices("payment_double_spent", order, invoice)
    elif "reorged" in invoice.flags and not _was_refunded(order, invoice):
        _mail_with_choices("payment_reorged", order, invoice)


def _was_refunded(order: Order, invoice: Invoice) -> bool:
    """Return whether the invoice is no longer settled because money went back, and not because the network took it."""
    return order.payment_status == Order.PaymentStatus.REFUNDED or invoice.paid_safe_minor >= invoice.price_minor


def _confirmed_key(order: Order, invoice: Invoice) -> str:
    """Return the occasion of a payment that is confirmed; another one if a mail said since then that it no longer was."""
    first = f"payment-confirmed:{order.pk}"
    return f"{first}:again" if Mail.objects.filter(key=f"payment_reorged:{invoice.pk}").exists() else first


def _mail_about_missing_money(order: Order, invoice: Invoice) -> None:
    """Mail about money that is there and does not pay the price as it is."""
    status = Invoice.Status
    if invoice.status == status.EXPIRED and "late" in invoice.flags:
        _mail_with_choices("payment_late", order, invoice)
    elif invoice.status in (status.NEW, status.EXPIRED) and "slow" in invoice.flags:
        _mail_with_choices("payment_slow", order, invoice)
    elif invoice.status == status.EXPIRED and "underpaid" in invoice.flags:
        _mail_with_choices("payment_underpaid", order, invoice)


@_in_the_buyers_language
def mail_refund_needed(order: Order, invoice: Invoice) -> None:
    """Ask the buyer where to refund money that the order does not take, unless all of it is refunded already, or will be."""
    if any(unreturned(invoice.pk).values()):
        _mail_with_choices("money_back", order, invoice)


@_in_the_buyers_language
def mail_refund_link(order: Order, invoice: Invoice, *, at: datetime) -> None:
    """Mail the refund link again because the buyer asked for it, at most once a day."""
    is_paid = invoice.status == Invoice.Status.SETTLED and order.status != Order.Status.CANCELLED
    _mail_with_choices("payment_overpaid" if is_paid else "money_back", order, invoice, occasion=f"{at:%Y-%m-%d}")


@_in_the_buyers_language
def mail_rest(order: Order, invoice: Invoice) -> None:
    """Ask the buyer for what is missing, once for each time that staff do so."""
    _mail_with_choices("payment_rest", order, invoice, occasion=str(invoice.version))


def mail_staff_of_hold(order: Order) -> None:
    """Mail staff about a paid order that cannot be shipped: no exception of its payment says so."""
    with translation.override(settings.LANGUAGE_CODE):
        subject = _("Order %(number)s is on hold") % {"number": order.number}
        path = reverse("admin:shop_order_change", args=[order.pk])
    mail_staff("payments", f"order-held:{order.pk}:{order.version}", subject, order.hold_reason, path=path)


def mail_staff_of_sale(order: Order) -> None:
    """Mail staff once about an order that is paid and can be prepared."""
    with translation.override(settings.LANGUAGE_CODE):
        total = money(order.total_minor, order.currency)
        subject = _("Order %(number)s is paid: %(total)s") % {"number": order.number, "total": total}
        text = "\n".join(f"{line.quantity} × {line.name} ({line.sku})" for line in order.lines.all())
        path = reverse("admin:shop_order_change", args=[order.pk])
    mail_staff("orders", f"order-paid:{order.pk}", subject, text, path=path)


def _mail_with_choices(template: str, order: Order, invoice: Invoice, *, occasion: str = "") -> None:
    """Queue a mail with all that the buyer can do. A template is mailed once for an invoice, and once more for each `occasion`."""
    _mail(
        template,
        f"{template}:{invoice.pk}:{occasion}".rstrip(":"),
        order,
        pay_url=_link("pay", order, invoice),
        quote_url=_link("quote", order, invoice),
        refund_url=settings.PUBLIC_URL + refund_path(invoice.pk),
        invoice=invoice,
        received=_received(invoice),
        left=_left(invoice),
        over_minor=max(0, invoice.paid_seen_minor - invoice.price_minor),
    )


def _link(page: str, order: Order, invoice: Invoice) -> str:
    """Return the page's address with the order's key, so that the buyer needs no login."""
    return f"{settings.PUBLIC_URL}{path_of(f'shop:{page}', invoice.pk)}?order={order.access_token}"


def _received(invoice: Invoice) -> str:
    """Write each payment that is present: `0.001 BTC and 0.5 LTC`."""
    payments = Payment.objects.filter(invoice=invoice, is_present=True)
    return text_list([f"{plain_decimal(payment.amount_text)} {UNITS[payment.network].symbol}" for payment in payments])


def _left(invoice: Invoice) -> str:
    """Write what is neither refunded nor promised to be, of all payments together."""
    here = unreturned(invoice.pk).items()
    return text_list([f"{coins(in_base(amount, coin), coin)} {UNITS[coin].symbol}" for coin, amount in here if amount])


def _mail(template: str, key: str, order: Order, **context: Any) -> None:
    queue_mail(key, **_content(template, order, **context))


def _content(template: str, order: Order, **context: Any) -> dict[str, Any]:
    context = {
        "order": order,
        "name": _name(order),
        "country": country_name(order.shipping_address.get("country", "")),
        "order_url": _order_url(order),
        **_contents(order),
        **context,
    }
    return {"to": order.email, "template": f"shop/mail/{template}", "context": context}


def _contents(order: Order) -> dict[str, Any]:
    """Return what `_lines` shows of the order, as texts."""
    lines = [
        {"quantity": str(line.quantity), "name": line.name, "total": money(line.total_minor, order.currency)} for line in order.lines.all()
    ]
    less = {
        "subtotal": money(order.subtotal_minor, order.currency),
        "voucher": order.voucher_code,
        "discount": money(-order.discount_minor, order.currency),
    }
    return {"lines": lines, "total": money(order.total_minor, order.currency), **(less if order.discount_minor else {})}


def _order_url(order: Order) -> str:
    return settings.PUBLIC_URL + path_of("shop:order", order.access_token)


def _name(order: Order) -> str:
    """Return the buyer's name once the order is paid. Before that nobody knows who typed name and address, and whose mail address it is."""
    unproven = (Order.Status.PENDING, Order.Status.CANCELLED)
    return "" if order.status in unproven else order.shipping_address.get("name", "")
