"""Mails go to the server over one connection, and none suffers from the one before it."""

import pytest
from django.utils import timezone

from cryptons.mail.models import Mail
from cryptons.mail.post import Post
from cryptons.mail.sending import send
from cryptons.mail_address import read_mail_server
from tests.fake_smtp import fake_smtp


def mail_to(name, **fields):
    return Mail(**{"key": name, "to": f"{name}@example.com", "subject": name, "text": f"Dear {name}\n", "html": "<p>", **fields})


@pytest.fixture
def deliver(settings):
    settings.MAIL_FROM = '"A shop" <shop@shop.example>'

    def deliver(server, *names):
        """Return the names whose mail failed, with the error."""
        settings.MAIL_SERVER, failed = read_mail_server(server.url), {}
        with Post() as post:
            for name in names:
                try:
                    post.deliver(mail_to(name))
                except OSError as error:
                    failed[name] = error
        return failed

    return deliver


def taken(server):
    return [recipient.partition("@")[0] for _, recipient in server.envelopes]


def test_the_mails_of_a_batch_share_a_connection(deliver):
    with fake_smtp() as server:
        assert deliver(server, "ada", "grace", "eve") == {}
    assert server.connections == 1
    assert server.envelopes == [("shop@shop.example", f"{name}@example.com") for name in ("ada", "grace", "eve")]
    assert [f"Dear {name}\r\n".encode() in mail for name, mail in zip(("ada", "grace", "eve"), server.mails, strict=True)] == [True] * 3


@pytest.mark.parametrize("closes", [False, True], ids=["says so", "closes the connection"])
def test_a_server_that_takes_few_mails_over_one_connection_gets_the_next_over_another_one(closes, deliver):
    with fake_smtp(most_of_a_connection=2, closes=closes) as server:
        assert deliver(server, "ada", "grace", "eve", "bob", "joan") == {}
    assert server.connections == 3
    assert taken(server) == ["ada", "grace", "eve", "bob", "joan"]


def test_a_recipient_who_is_refused_takes_no_mail_from_the_others(deliver):
    with fake_smtp(refuses={"grace@example.com"}) as server:
        failed = deliver(server, "ada", "grace", "eve")
    assert {name: str(error) for name, error in failed.items()} == {"grace": "{'grace@example.com': (550, b'No such user')}"}
    assert taken(server) == ["ada", "eve"]
    assert len(server.mails) == 2


def test_each_mail_fails_while_the_server_takes_none(deliver):
    with fake_smtp(most_of_a_connection=0) as server:
        failed = deliver(server, "ada", "grace")
    assert [type(error).__name__ for error in failed.values()] == ["SMTPSenderRefused"] * 2
    gone = deliver(server, "ada", "grace")
    assert [type(error).__name__ for error in gone.values()] == ["ConnectionRefusedError"] * 2


@pytest.mark.django_db
def test_of_a_batch_only_the_mail_that_was_refused_is_tried_again(settings):
    mails = [mail_to(name) for name in ("ada", "grace", "eve")]
    for mail in mails:
        mail.save(force_insert=True)
    with fake_smtp(refuses={"grace@example.com"}, most_of_a_connection=1) as server:
        settings.MAIL_SERVER = read_mail_server(server.url)
        assert send([mail.pk for mail in mails], at=timezone.now()) == 2
    assert Mail.objects.get(sent_at=None).key == "grace"
    assert taken(server) == ["ada", "eve"]
