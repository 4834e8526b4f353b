from celery import shared_task
from django.utils import timezone

from accounts.models import RevokedToken
from cryptons.chunks import delete_in_chunks


@shared_task
def forget_old_tokens() -> None:
    """Delete the records of revoked tokens that have expired: an expired token is refused anyway."""
    delete_in_chunks(RevokedToken.objects.filter(expires_at__lt=timezone.now()))
