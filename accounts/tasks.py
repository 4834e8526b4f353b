from celery import shared_task
from django.utils import timezone

from accounts.devices import KEEP
from accounts.models import AccountLink, KnownDevice, RevokedToken
from accounts.recovery import answer_link_requests
from cryptons.chunks import delete_in_chunks


@shared_task
def sweep_link_requests() -> None:
    """Mail the links that were asked for."""
    answer_link_requests()


@shared_task
def forget_old_tokens() -> None:
    """Delete the records of revoked tokens that have expired: an expired token is refused anyway."""
    delete_in_chunks(RevokedToken.objects.filter(expires_at__lt=timezone.now()))


@shared_task
def forget_old_links() -> None:
    """Delete links that are too old to be used, and devices whose cookie has expired."""
    delete_in_chunks(AccountLink.objects.filter(expires_at__lt=timezone.now()))
    delete_in_chunks(KnownDevice.objects.filter(seen_at__lt=timezone.now() - KEEP))
