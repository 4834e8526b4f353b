"""What staff must be told: a row in their queue, and a mail to STAFF_EMAIL where one is set. Rows only, in the caller's transaction."""

from datetime import datetime

from django.conf import settings
from django.urls import reverse

from cryptons.mail.queueing import queue_mail
from payments.models import Alert


def alert(key: str, text: str, *, at: datetime) -> None:
    """Once for each key, whether somebody closed it since or not. `text` is a sentence or two that say what to do."""
    if Alert.objects.filter(key=key).exists():
        return
    row = Alert.objects.create(key=key, text=text, created_at=at)
    mail_staff(f"alert:{row.pk}", "Please look at this", text, path=reverse("admin:payments_alert_change", args=[row.pk]))


def mail_staff(key: str, subject: str, text: str, *, path: str) -> None:
    """Once for each key. `path` is the admin's page about it."""
    if settings.STAFF_EMAIL:
        context = {"subject": subject, "body": text, "url": settings.PUBLIC_URL + path}
        queue_mail(key, to=settings.STAFF_EMAIL, template="payments/mail/staff", context=context)
