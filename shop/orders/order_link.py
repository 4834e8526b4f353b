"""Find an order by its number and mail address: its link is mailed to that address, and the page does not tell whether it exists."""

import re

from celery import shared_task
from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from cryptons.api.limits import count
from cryptons.celery import enqueue
from cryptons.db import in_transaction
from shop.models import Order
from shop.orders.mails import mail_order_link

HALF = 5
"""Letters before and after the dash of an order's number."""


def ask_for_link(number: str, email: str) -> None:
    """Let a worker look for the order. Here the same is done for every number, so that the time of the answer tells nothing."""
    recipient = salted_hmac("order links", email.strip().lower(), algorithm="sha256").hexdigest()
    if count(settings.RATE_LIMIT_ORDER_MAILS, "order links", recipient)[0]:
        enqueue(send_order_link, number, email)


def normalize(number: str) -> str:
    """Return the number as it is stored, however it was typed."""
    letters = re.sub(r"[^A-Z0-9]", "", number.upper())
    return f"{letters[:HALF]}-{letters[HALF:]}"


@shared_task
def send_order_link(number: str, email: str) -> None:
    """Mail the link if the order was placed with this address, at most once an hour for an order."""
    order = Order.objects.filter(number=normalize(number)).first()
    if order is not None and order.email.strip().lower() == email.strip().lower():
        at = timezone.now()
        in_transaction(lambda: mail_order_link(order, at=at))
