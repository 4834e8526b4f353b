"""The tasks of reviews: thin shells around functions of the domain."""

import logging

from celery import shared_task

from reviews.ratings import recount

logger = logging.getLogger(__name__)


@shared_task
def recount_ratings() -> None:
    if wrong := recount():
        logger.error("ratings of products were wrong and are corrected", extra={"products": [str(pk) for pk in wrong[:20]]})
