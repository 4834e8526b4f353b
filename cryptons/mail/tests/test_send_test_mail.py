"""`manage.py send_test_mail` says in a sentence what is wrong."""

import smtplib
import socket
import ssl

import pytest
from django.core import mail
from django.core.management import call_command
from django.core.management.base import CommandError

from cryptons.mail import sending
from cryptons.mail_address import MailServer

SERVER = MailServer("smtp+tls", "mail.example", 587, "shop", "secret")


def fail_by(monkeypatch, error):
    class Broken:
        def send_messages(self, mails):
            raise error

    monkeypatch.setattr(sending, "connection_to", lambda server: Broken())


def wrong_certificate():
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


@pytest.fixture(autouse=True)
def _server(settings, monkeypatch):
    settings.MAIL_SERVER = SERVER
    settings.STAFF_EMAIL = ["grace@example.com", "ada@example.com"]
    monkeypatch.setattr(sending, "connection_to", lambda server: mail.get_connection())


def test_it_sends_to_all_of_staff_or_to_the_address_that_is_named(capsys):
    call_command("send_test_mail")
    assert [message.to for message in mail.outbox] == [["grace@example.com"], ["ada@example.com"]]
    assert "Sent to ada@example.com" in capsys.readouterr().out
    call_command("send_test_mail", "eve@example.com")
    assert mail.outbox[-1].to == ["eve@example.com"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "refuses the connection"),
        (TimeoutError("timed out"), "does not answer"),
        (socket.gaierror(-2, "Name or service not known"), "There is no host mail.example"),
        (wrong_certificate(), "certificate of mail.example:587 is not valid"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "does not speak TLS"),
        (smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server."), "offers no TLS"),
        (smtplib.SMTPNotSupportedError("SMTP AUTH extension not supported by server."), "offers no login"),
        (smtplib.SMTPAuthenticationError(535, b"Bad"), "refuses the login"),
        (smtplib.SMTPSenderRefused(550, b"no", "shop@shop.example"), "Set MAIL_FROM"),
        (smtplib.SMTPRecipientsRefused({"ada@example.com": (550, b"no such user")}), "550 no such user"),
        (smtplib.SMTPServerDisconnected("closed"), "closed the connection"),
        (smtplib.SMTPDataError(554, b"spam"), "554 spam"),
        (OSError(113, "No route to host"), "No route to host"),
    ],
)
def test_each_trouble_has_a_sentence_that_says_what_to_do_and_keeps_the_password(error, words, monkeypatch):
    fail_by(monkeypatch, error)
    with pytest.raises(CommandError, match=words) as raised:
        call_command("send_test_mail")
    assert "\n" not in str(raised.value)
    assert SERVER.password not in str(raised.value)


def test_it_needs_a_mail_server_and_a_mail_address(settings):
    with pytest.raises(CommandError, match="no mail address"):
        call_command("send_test_mail", "grace")
    settings.STAFF_EMAIL = []
    with pytest.raises(CommandError, match="STAFF_EMAIL"):
        call_command("send_test_mail")
    settings.MAIL_SERVER = None
    with pytest.raises(CommandError, match="EMAIL_URL is not set"):
        call_command("send_test_mail", "ada@example.com")
