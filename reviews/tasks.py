"""The tasks of reviews: thin shells around functions of the domain."""

import logging

from celery import shared_task
from django.utils import timezone

from reviews import asking
from reviews.ratings import recount

logger = logging.getLogger(__name__)


@shared_task
def ask_for_reviews() -> None:
    asking.ask_for_reviews(at=timezone.now())


@shared_task
def recount_ratings() -> None:
    if wrong := recount():
        logger.error("ratings of products were wrong and are corrected", extra={"products": [str(pk) for pk in wrong[:20]]})
