import threading
import time

from celery import shared_task
from django.utils import timezone

from cryptons.mail import sending
from cryptons.mail.sending import BATCH, send_due

SWEEP_SECONDS = 20

_sending = threading.Lock()


@shared_task
def sweep_mails() -> None:
    """Send the mails that are due: new ones, and those that failed before. A slow server keeps one thread of a process busy, not all.

    Mails that come while the last batch is sent wait for the next sweep, because a batch of few mails costs as much as a full one.
    """
    if not _sending.acquire(blocking=False):
        return
    try:
        ends = time.monotonic() + SWEEP_SECONDS
        while send_due(at=timezone.now()) >= BATCH and time.monotonic() < ends:
            pass
    finally:
        _sending.release()


@shared_task
def forget_old_mails() -> None:
    sending.forget_old_mails(at=timezone.now())
