"""What the buyer is told by mail, once each. Rows only: they are written in the transaction of what they tell about."""

from django.conf import settings
from django.urls import reverse

from accounts.addresses import country_name
from cryptons.mail.queueing import queue_mail
from cryptons.money import UNITS
from payments.models import Payout
from payments.refund_links import refund_path
from shop.models import Order


def mail_order_received(order: Order, *, pay_path: str) -> None:
    _mail("order_received", f"order-received:{order.pk}", order, pay_url=settings.PUBLIC_URL + pay_path)


def mail_payment_confirmed(order: Order) -> None:
    """Once, even when a reorg takes the settlement back and it comes again."""
    _mail("payment_confirmed", f"payment-confirmed:{order.pk}", order)


def mail_order_shipped(order: Order) -> None:
    _mail("order_shipped", f"order-shipped:{order.pk}", order)


def mail_refund_asked(order: Order, payout: Payout) -> None:
    _mail(
        "refund_asked", f"refund-asked:{payout.pk}", order, refund_url=settings.PUBLIC_URL + refund_path(payout.invoice_id), **_back(payout)
    )


def mail_refund_sent(order: Order, payout: Payout) -> None:
    _mail("refund_sent", f"refund-sent:{payout.pk}", order, **_back(payout))


def _back(payout: Payout) -> dict[str, str]:
    amount = f"{payout.amount_text} {UNITS[payout.network].coin}"
    return {"amount": amount, "destination": payout.destination, "reference": payout.reference or ""}


def _mail(template: str, key: str, order: Order, **context: str) -> None:
    queue_mail(
        key,
        to=order.email,
        template=f"shop/mail/{template}",
        context={
            "order": order,
            "lines": list(order.lines.all()),
            "country": country_name(order.shipping_address.get("country", "")),
            "order_url": settings.PUBLIC_URL + reverse("shop:order", args=[order.access_token]),
            **context,
        },
    )
