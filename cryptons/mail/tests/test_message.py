"""A mail is written as a message that mail programs read as it was meant."""

import email
import email.policy
from datetime import UTC, datetime

import pytest
from django.core.mail import BadHeaderError

from cryptons.mail.message import message_bytes, message_id
from cryptons.mail.models import Mail

NOW = datetime(2026, 11, 26, 10, 30, 10, tzinfo=UTC)


def write(**fields):
    return Mail(**{"to": "ada@example.com", "subject": "Paid", "text": "t\n", "html": "<p>t</p>\n", "created_at": NOW, **fields})


def read(mail):
    return email.message_from_bytes(message_bytes(mail), policy=email.policy.default)


def test_a_message_has_a_sender_a_date_an_id_and_two_alternatives(settings):
    settings.MAIL_FROM = '"Smith, Jones & Co" <shop@shop.example>'
    mail = write()
    message = read(mail)
    assert not message.defects
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["From"].addresses[0].addr_spec == "shop@shop.example"
    assert message["Date"].datetime == NOW
    assert message["Message-ID"] == message_id(mail)


@pytest.mark.parametrize(
    "subject", ["Order 7 is paid", "Ördér", "x" * 200, "word " * 39 + "word", "ä" * 200, "中文 " * 60, "=?utf-8?q?a?="]
)
def test_a_subject_of_any_length_and_script_is_read_as_it_was_written(subject):
    mail = write(subject=subject.strip())
    head = message_bytes(mail).partition(b"\n\n")[0]
    assert max(map(len, head.split(b"\n"))) <= 998
    if not subject.startswith("=?"):  # which means something in a subject, and is read so
        assert read(mail)["Subject"] == subject.strip()


@pytest.mark.parametrize("subject", ["two\nlines", "two\rlines", "Paid\r\nBcc: eve@example.com", "Päid\nBcc: eve@example.com"])
def test_a_subject_adds_no_header(subject):
    with pytest.raises(BadHeaderError):
        message_bytes(write(subject=subject))


@pytest.mark.parametrize(
    "address", ["ada@example.com\nBcc: eve@example.com", "ada@example.com\r\nx", "ada@example.com, eve@example.com", ""]
)
def test_an_address_adds_no_header_and_is_only_one(address):
    with pytest.raises(ValueError, match=r"Invalid address|one line"):
        message_bytes(write(to=address))


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("ada@example.com", "ada@example.com"),
        ("a.b+c_d-e@mail.example.com", "a.b+c_d-e@mail.example.com"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("ada@müller.example", "ada@xn--mller-kva.example"),
        ('"a b"@example.com', '"a b"@example.com'),
    ],
)
def test_an_address_is_written_in_ascii(address, written):
    assert read(write(to=address))["To"].addresses[0].addr_spec == written


@pytest.mark.parametrize(
    "text",
    [
        "Grüße\n\n.\n..two dots\nFrom me\n",
        "plain = plain\n",
        "ä" * 600 + "\nshort = short \n",
        "x" * 999 + "\n.\nlast",
        "no line end",
        "",
        "\ntrailing  \n\n\n",
        "tabs\tand \u2028 other \x85 ends \x0b of lines\n",
    ],
)
def test_a_text_is_read_as_it_was_written(text):
    message = read(write(text=text, html=f"<p>{text}</p>"))
    plain, html = message.iter_parts()
    assert plain.get_payload(decode=True).decode() == text
    assert html.get_payload(decode=True).decode() == f"<p>{text}</p>"
    assert not plain.defects + html.defects
    assert max(map(len, message_bytes(write(text=text)).split(b"\n"))) <= 998


def test_all_lines_end_in_the_same_way():
    (plain, _) = read(write(text="a\r\nb\rc\n")).iter_parts()
    assert plain.get_payload(decode=True) == b"a\nb\nc\n"


def test_answers_go_to_another_address_only_where_one_is_set():
    assert read(write())["Reply-To"] is None
    assert read(write(reply_to="ada@bücher.example"))["Reply-To"] == "ada@xn--bcher-kva.example"


@pytest.mark.parametrize("address", ["ada@example.com\nBcc: eve@example.com", "ada@example.com, eve@example.com"])
def test_the_address_for_answers_adds_no_header_and_is_only_one(address):
    with pytest.raises(ValueError, match=r"Invalid address|one line"):
        message_bytes(write(reply_to=address))
