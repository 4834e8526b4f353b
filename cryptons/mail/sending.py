"""Send one mail: to the server of EMAIL_URL, or into a file that is named by the mail's id."""

from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.db.models import F, Q

from cryptons.atomic_file import atomic_file
from cryptons.failure_isolation import log_failure
from cryptons.mail.models import Mail
from cryptons.mail_address import MailServer

WAITS = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440)]
"""Before each further try; after the last one staff must look."""

HOLD = timedelta(minutes=1)
"""How long other processes leave a mail alone while one sends it."""


def send(mail_id: UUID, *, at: datetime) -> bool:
    """Send the mail unless it was sent already. Safe to repeat: a copy has the same Message-ID and file. Returns whether it was sent."""
    claimed = Mail.objects.filter(Q(next_try_at__lte=at), pk=mail_id, sent_at=None)
    if not claimed.update(next_try_at=at + HOLD, attempts=F("attempts") + 1):
        return False
    mail = Mail.objects.get(pk=mail_id)
    try:
        _deliver(mail)
    except Exception as error:
        if not isinstance(error, OSError):  # the server's trouble, and smtplib's errors are among them
            log_failure("sending a mail", mail.pk, error)
        waits = WAITS[mail.attempts - 1 :]
        next_try = at + waits[0] if waits else None
        Mail.objects.filter(pk=mail.pk).update(next_try_at=next_try, last_error=f"{type(error).__name__}: {error}"[:200])
        return False
    Mail.objects.filter(pk=mail.pk).update(sent_at=at, next_try_at=None, last_error="")
    return True


def send_unrecorded(subject: str, text: str) -> None:
    """Email STAFF_EMAIL without a row in the database, when it cannot be written. Raises OSError."""
    if settings.STAFF_EMAIL and (server := settings.MAIL_SERVER):
        EmailMultiAlternatives(subject, text, settings.MAIL_FROM, [settings.STAFF_EMAIL], connection=_connection(server)).send()


def _deliver(mail: Mail) -> None:
    message = _message(mail)
    if server := settings.MAIL_SERVER:
        message.connection = _connection(server)
        message.send()
    else:
        _write(Path(settings.MAIL_DIR) / f"{mail.pk}.eml", message.message().as_bytes())


def _message(mail: Mail) -> EmailMultiAlternatives:
    headers = {"Message-ID": f"<{mail.pk}@{settings.MAIL_DOMAIN}>", "Date": format_datetime(mail.created_at)}
    message = EmailMultiAlternatives(mail.subject, mail.text, settings.MAIL_FROM, [mail.to], headers=headers)
    message.attach_alternative(mail.html, "text/html")
    return message


def _connection(server: MailServer) -> EmailBackend:
    return EmailBackend(
        host=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_ssl=server.scheme == "smtps",
        use_tls=server.scheme == "smtp+tls",
        timeout=10,
    )


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(file, is_durable=True) as part:
        part.write_bytes(content)
