"""Ask the buyer of a delivered order once for reviews, by mail. Guests are not asked: a review belongs to an account."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import translation

from cryptons.db import in_transaction
from cryptons.failure_isolation import isolate
from cryptons.mail.queueing import queue_mail
from reviews.models import Review, ReviewMailOptOut, ReviewRequest
from shop.models import Order, Product

WINDOW = timedelta(days=7)
"""How long after its day an order is still found, so that old ones are not asked about when the setting is switched on."""
SALT = "reviews.no-mails"


def ask_for_reviews(*, at: datetime) -> int:
    """Queue a mail for each order that was delivered REVIEW_MAIL_DAYS ago. Returns how many."""
    if not settings.REVIEW_MAIL_DAYS:
        return 0
    until = at - timedelta(days=settings.REVIEW_MAIL_DAYS)
    delivered = Order.objects.filter(status=Order.Status.DELIVERED, updated_at__gt=until - WINDOW, updated_at__lte=until)
    orders = list(delivered.exclude(user=None).exclude(payment_status=Order.PaymentStatus.REFUNDED).values_list("pk", flat=True))
    asked, count = set(ReviewRequest.objects.filter(order__in=orders).values_list("order_id", flat=True)), 0
    for pk in orders:
        if pk not in asked:
            with isolate("asking for reviews", pk):
                count += in_transaction(partial(_ask, pk, at))
    return count


def _ask(order_id: UUID, at: datetime) -> bool:
    """Queue the mail, unless nobody is to be asked or nothing is left to review."""
    order = Order.objects.select_related("user").get(pk=order_id)
    user = order.user
    if user is None or not user.is_active or ReviewMailOptOut.objects.filter(user=user).exists():
        return False
    bought = Product.objects.listed().filter(pk__in=list(order.lines.values_list("product_id", flat=True)))
    reviewed = list(Review.objects.filter(user=user).values_list("product_id", flat=True))
    products = list(bought.exclude(pk__in=reviewed).order_by("name"))
    if not products:
        return False
    ReviewRequest.objects.create(order=order, asked_at=at)
    with translation.override(order.language or settings.LANGUAGE_CODE):
        context: dict[str, Any] = {
            "name": order.shipping_address.get("name", ""),
            "number": order.number,
            "products": [(product.name, _address("reviews:write", product.slug)) for product in products],
            "stop_url": _address("reviews:no_mails", signing.dumps(str(user.pk), salt=SALT)),
        }
        queue_mail(f"review-request:{order.pk}", to=order.email, template="reviews/mail/review_request", context=context)
    return True


def _address(page: str, key: str) -> str:
    return settings.PUBLIC_URL + reverse(page, args=[key])


def read_stop_link(token: str) -> UUID | None:
    """Return whose mails the link stops; None for a link that the shop did not make."""
    try:
        return UUID(signing.loads(token, salt=SALT))
    except (signing.BadSignature, ValueError):
        return None


def stop_mails(user_id: UUID) -> None:
    """Ask this user for reviews no more."""
    in_transaction(lambda: ReviewMailOptOut.objects.get_or_create(user_id=user_id))
