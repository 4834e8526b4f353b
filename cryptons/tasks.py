from celery import shared_task

from cryptons.api import idempotency


@shared_task
def forget_old_requests() -> None:
    idempotency.forget_old_requests()
