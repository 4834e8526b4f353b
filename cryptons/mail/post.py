"""Deliver mails: to the server of EMAIL_URL, or without one into files that are named by the mails' ids."""

from contextlib import suppress
from email.utils import parseaddr
from pathlib import Path
from smtplib import SMTP, SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused, SMTPServerDisconnected
from types import TracebackType
from typing import Self

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend

from cryptons.atomic_file import atomic_file
from cryptons.mail.message import message_bytes, plain_address
from cryptons.mail.models import Mail
from cryptons.mail_address import MailServer

OK, FORWARDED = 250, 251


def connection_to(server: MailServer) -> EmailBackend:
    """Return a connection that is not open yet."""
    return EmailBackend(
        host=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_ssl=server.scheme == "smtps",
        use_tls=server.scheme == "smtp+tls",
        timeout=10,
    )


class Post:
    """Delivers mails one after the other, to the server over one connection: to open one costs several times as much as a mail."""

    def __init__(self) -> None:
        self._sender = parseaddr(settings.MAIL_FROM)[1]
        self._connection: EmailBackend | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def deliver(self, mail: Mail) -> None:
        """Deliver the mail. Raises OSError, which smtplib's errors are; what cannot be written as a message raises ValueError."""
        content = message_bytes(mail)
        if settings.MAIL_SERVER is None:
            _write(Path(settings.MAIL_DIR) / f"{mail.pk}.eml", content)
            return
        try:
            self._send(settings.MAIL_SERVER, plain_address(mail.to), content.replace(b"\n", b"\r\n"))
        except BaseException:  # the server's or the network's (OSError), an address that cannot be read, or the end of the process
            self._close()  # the next mail must not suffer from what came over this connection; the caller gets the error
            raise

    def _send(self, server: MailServer, to: str, content: bytes) -> None:
        client = self._begin(server)
        code, answer = client.rcpt(to)
        if code not in (OK, FORWARDED):
            raise SMTPRecipientsRefused({to: (code, answer)})
        code, answer = client.data(content)
        if code != OK:
            raise SMTPDataError(code, answer)

    def _begin(self, server: MailServer) -> SMTP:
        """Begin a mail. If the server takes no other one over this connection (it may close it after any), begin over a new one."""
        if client := self._client:
            with suppress(SMTPServerDisconnected):
                if client.mail(self._sender)[0] == OK:
                    return client
            self._close()
        self._connection = connection_to(server)
        self._connection.open()
        client = self._client
        assert client is not None
        client.ehlo_or_helo_if_needed()
        code, answer = client.mail(self._sender)
        if code != OK:
            raise SMTPSenderRefused(code, answer, self._sender)
        return client

    @property
    def _client(self) -> SMTP | None:
        return self._connection.connection if self._connection else None

    def _close(self) -> None:
        if self._connection:
            with suppress(OSError):
                self._connection.close()
            self._connection = None


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(file, is_durable=True) as part:
        part.write_bytes(content)
