from celery import shared_task
from django.utils import timezone

from accounts.verification.decisions import erase_old_documents
from accounts.verification.documents import erase_forgotten_files
from accounts.verification.sums import forget_old_sums


@shared_task
def erase_verification_data() -> None:
    """Erase documents and sums that are old enough."""
    erase_old_documents(at=timezone.now())
    erase_forgotten_files()
    forget_old_sums(at=timezone.now())
