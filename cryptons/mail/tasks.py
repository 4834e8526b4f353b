from uuid import UUID

from celery import shared_task
from django.utils import timezone

from cryptons.failure_isolation import isolate
from cryptons.mail.models import Mail
from cryptons.mail.sending import send

SWEEP = 200


@shared_task
def send_mail(mail_id: str) -> None:
    send(UUID(mail_id), at=timezone.now())


@shared_task
def sweep_mails() -> None:
    """Send the mails whose task was lost, and those that failed before and are due again."""
    now = timezone.now()
    for mail_id in list(Mail.objects.filter(next_try_at__lte=now).order_by("next_try_at").values_list("pk", flat=True)[:SWEEP]):
        with isolate("sending a mail", mail_id):
            send(mail_id, at=now)
