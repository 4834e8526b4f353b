from celery import shared_task
from django.utils import timezone

from accounts.models import RevokedToken


@shared_task
def forget_old_tokens() -> None:
    """A token that would have expired anyway need not be remembered."""
    RevokedToken.objects.filter(expires_at__lt=timezone.now()).delete()
