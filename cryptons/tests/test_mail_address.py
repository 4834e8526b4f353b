import email
import email.policy
import smtplib
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from cryptons.mail import sending
from cryptons.mail.message import message_bytes
from cryptons.mail.models import Mail
from cryptons.mail_address import MailServer, read_mail_server, read_sender, read_shop_name

NAMES = ["Smith, Jones & Co", "a:b;c@d", '"Best" \\ shop', "Grüße & Söhne", "中" * 100, "x" * 100, "Shop (old)", "O'Neil <3"]


def sent_mail(settings: Any, sender: str) -> email.message.EmailMessage:
    """The mail as a server reads it."""
    settings.MAIL_FROM = sender
    mail = Mail(key="x", to="ada@example.com", subject="Paid", text="t", html="<p>t</p>", created_at=timezone.now())
    message = email.message_from_bytes(message_bytes(mail), policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


@pytest.mark.parametrize("name", NAMES)
def test_mails_are_sent_with_any_name_of_the_shop(name, settings):
    message = sent_mail(settings, read_sender("", shop_name=read_shop_name(name), domain="shop.example"))

    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (name, "shop@shop.example")


@pytest.mark.parametrize(
    ("given", "name", "address"),
    [
        ("sales@shop.example", "", "sales@shop.example"),
        ("Smith, Jones & Co <sales@shop.example>", "Smith, Jones & Co", "sales@shop.example"),
        ('"Smith, \\"J\\"" <sales@shop.example>', 'Smith, "J"', "sales@shop.example"),
        ("Grüße <sales@müller.example>", "Grüße", "sales@xn--mller-kva.example"),
    ],
)
def test_the_sender_may_be_an_address_or_a_name_with_an_address(given, name, address, settings):
    (sender,) = sent_mail(settings, read_sender(given, shop_name="Shop", domain="shop.example"))["From"].addresses

    assert (sender.display_name, sender.addr_spec) == (name, address)


@pytest.mark.parametrize("given", ["shop", "Shop <>", "Shop <shop>", "a@b.example, c@d.example", "Shop <a@b.example>\nBcc: x@y.example"])
def test_a_sender_without_one_address_stops_the_start(given):
    with pytest.raises(ImproperlyConfigured, match=r"^MAIL_FROM must be a mail address, or a name and an address"):
        read_sender(given, shop_name="Shop", domain="shop.example")


@pytest.mark.parametrize("name", ["a\nb", "a\r\nBcc: x@y.example", " ", "x" * 101, "a\tb", "a\u2028b"])
def test_a_shop_name_of_several_lines_stops_the_start(name):
    with pytest.raises(ImproperlyConfigured, match=r"^SHOP_NAME must be one line of at most 100 characters"):
        read_shop_name(name)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("smtp", "mail.example", 25, "", "")),
        ("smtp+tls://mail.example", MailServer("smtp+tls", "mail.example", 587, "", "")),
        ("smtps://mail.example/", MailServer("smtps", "mail.example", 465, "", "")),
        ("smtp://mail_pit:1025", MailServer("smtp", "mail_pit", 1025, "", "")),
        ("smtp+tls://a%40b:p%23%2F%3F%40%3A%25@mail.example:2525", MailServer("smtp+tls", "mail.example", 2525, "a@b", "p#/?@:%")),
        ("smtp+tls://shop:p@ss@mail.example", MailServer("smtp+tls", "mail.example", 587, "shop", "p@ss")),
        ("smtps://[fd00::7]:465", MailServer("smtps", "fd00::7", 465, "", "")),
        ("smtps://müller.example", MailServer("smtps", "xn--mller-kva.example", 465, "", "")),
    ],
)
def test_the_mail_server_has_the_ports_of_its_scheme_and_decoded_credentials(url, server):
    assert read_mail_server(url) == server


@pytest.mark.parametrize(
    "rest", ["shop:pa#ss@m:587", "shop:pa/ss@m:587", "shop:pa?ss@m", "shop:pa[ss@m", "m:99999", "m:abc", "m:0", "", "m/x"]
)
def test_a_mail_server_that_cannot_be_read_stops_the_start_and_says_what_to_encode(rest):
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL must be .*Percent-encode .*# as %23, / as %2F") as stopped:
        read_mail_server(f"smtp+tls://{rest}")
    assert "ss" not in str(stopped.value).replace("password", "").replace("address", "")


@pytest.mark.parametrize("url", ["mail.example:25", "http://mail.example", "smtp:mail.example"])
def test_a_mail_server_of_another_scheme_stops_the_start(url):
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL must look like smtp://"):
        read_mail_server(url)


@pytest.mark.parametrize("url", ["smtp://shop:p%C3%A4ss@m", "smtp://shop:a\nb@m"])
def test_credentials_that_smtp_cannot_carry_stop_the_start(url):
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL must "):
        read_mail_server(url)


@pytest.mark.django_db
def test_a_mail_goes_to_the_server_of_the_settings(settings, monkeypatch):
    asked: list[tuple[object, ...]] = []

    def refuse(self: object, host: str, port: int, **options: object) -> None:
        asked.append((host, port))
        raise ConnectionRefusedError

    monkeypatch.setattr(smtplib.SMTP, "__init__", refuse)
    settings.MAIL_SERVER = read_mail_server("smtp+tls://shop:x@mail.example")
    mail = Mail.objects.create(key="x", to="ada@example.com", subject="Paid", text="t", html="<p>t</p>")

    assert not sending.send([mail.pk], at=timezone.now())
    assert asked == [("mail.example", 587)]
