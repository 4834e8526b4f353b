from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from cryptons.api import idempotency
from cryptons.chunks import delete_in_chunks


@shared_task
def forget_old_requests() -> None:
    idempotency.forget_old_requests()


@shared_task
def forget_old_sessions() -> None:
    """Delete the sessions that have expired."""
    delete_in_chunks(Session.objects.filter(expire_date__lt=timezone.now()))
