"""Find an order by its number and mail address: its link is mailed to that address, and the page does not tell whether it exists."""

import re
from datetime import datetime
from functools import partial

from django.conf import settings
from django.utils.crypto import salted_hmac

from cryptons.api.limits import count
from cryptons.db import in_transaction
from cryptons.email_domain import readable_email
from cryptons.waiting_requests import answer_in_turn, store
from shop.models import Order, OrderLinkRequest
from shop.orders.mails import mail_order_link

HALF = 5
"""Letters before and after the dash of an order's number."""


def ask_for_link(number: str, email: str) -> None:
    """Store the wish for the link. The work is the same for every number, so that the time of the answer tells nothing."""
    store(OrderLinkRequest(number=normalize(number), email=email.strip().lower()))


def normalize(number: str) -> str:
    """Return the number as it is stored, however it was typed. Of one that is too long, enough is left to match none."""
    letters = re.sub(r"[^A-Z0-9]", "", number.upper())[: 2 * HALF + 1]
    return f"{letters[:HALF]}-{letters[HALF:]}"


def answer_link_requests(*, at: datetime) -> None:
    """Mail the links that were asked for, of orders that were placed with this address, at most once an hour for an order."""
    answer_in_turn(OrderLinkRequest.objects.all(), partial(_answer, at=at), doing="mailing the link to an order")


def _answer(request: OrderLinkRequest, *, at: datetime) -> None:
    order = Order.objects.filter(number=request.number).first()
    is_mailed = order is not None and readable_email(order.email.strip()).lower() == request.email and _count_mail(request.email)

    def act() -> None:
        is_first = OrderLinkRequest.objects.filter(pk=request.pk).delete()[0]
        if is_first and order is not None and is_mailed:
            mail_order_link(order, at=at)

    in_transaction(act)


def _count_mail(email: str) -> bool:
    """Count a mail to this address, and return whether it may be sent.

    Nothing else counts: who knows no more than an address could otherwise keep its owner from every order.
    """
    recipient = salted_hmac("order links", email, algorithm="sha256").hexdigest()
    return count(settings.RATE_LIMIT_ORDER_MAILS, "order links", recipient)[0]
