"""A mail is written with what it reports, and sent once."""

import smtplib
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.utils import timezone

from cryptons.db import atomic, new_id
from cryptons.mail import sending
from cryptons.mail.models import Mail
from cryptons.mail.post import Post
from cryptons.mail.queueing import queue_mail
from cryptons.mail.sending import BATCH, HOLD, WAITS, send
from cryptons.mail.tasks import sweep_mails

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail():
    return Mail.objects.create(
        key="order-received:1",
        to="ada@example.com",
        subject="Your ördér",
        text="Thank you.\n",
        html="<p>Thank you.</p>",
        next_try_at=timezone.now() - timedelta(hours=1),
    )


@pytest.fixture
def broken_server(monkeypatch):
    def refuse(mail):
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(Post, "deliver", staticmethod(refuse))


def files(settings):
    return sorted(Path(settings.MAIL_DIR).glob("*"))


def test_a_mail_is_written_to_a_file_named_by_its_id_with_text_and_html(mail, settings):
    assert send([mail.pk], at=timezone.now())

    (file,) = files(settings)
    assert file.name == f"{mail.pk}.eml"
    message = message_from_bytes(file.read_bytes(), policy=default)
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Your ördér")
    assert message["Message-ID"].startswith(f"<{mail.pk}.")
    assert message.get_body(["plain"]).get_content().strip() == "Thank you."
    assert message.get_body(["html"]).get_content().strip() == "<p>Thank you.</p>"


def test_a_mail_is_sent_once_when_it_is_sent_twice(mail, monkeypatch):
    sent = []
    monkeypatch.setattr(Post, "deliver", staticmethod(sent.append))

    send([mail.pk], at=timezone.now())
    send([mail.pk], at=timezone.now())
    sweep_mails()

    assert len(sent) == 1
    mail.refresh_from_db()
    assert mail.sent_at
    assert mail.next_try_at is None


def test_a_mail_that_is_being_sent_is_not_sent_a_second_time(mail):
    Mail.objects.filter(pk=mail.pk).update(next_try_at=timezone.now() + timedelta(seconds=30))
    assert not send([mail.pk], at=timezone.now())


def test_the_sweep_sends_a_mail_whose_sender_died(mail, monkeypatch):
    sent = []

    def die(mail):
        raise SystemExit

    monkeypatch.setattr(Post, "deliver", staticmethod(die))
    with pytest.raises(SystemExit):
        send([mail.pk], at=timezone.now() - timedelta(minutes=2))
    monkeypatch.setattr(Post, "deliver", staticmethod(sent.append))

    sweep_mails()

    assert len(sent) == 1


def test_the_wait_between_attempts_grows_while_the_mail_server_is_down(mail, broken_server):
    at = timezone.now().replace(microsecond=0)
    for wait in WAITS:
        assert not send([mail.pk], at=at)
        mail.refresh_from_db()
        assert mail.next_try_at == at + wait
        at = mail.next_try_at
    assert not send([mail.pk], at=at)
    mail.refresh_from_db()
    assert mail.next_try_at is None
    assert mail.sent_at is None
    assert mail.last_error == "SMTPServerDisconnected: gone"


def test_an_invalid_mail_is_postponed_and_does_not_hold_up_other_mails(mail, settings, caplog):
    Mail.objects.filter(pk=mail.pk).update(subject="two\nlines")
    other = Mail.objects.create(key="x", to="ada@example.com", subject="x", text="x", html="x")

    sweep_mails()

    mail.refresh_from_db()
    assert mail.sent_at is None
    assert mail.next_try_at > timezone.now()
    assert mail.last_error.startswith("BadHeaderError")
    assert [record.reference for record in caplog.records if record.levelname == "ERROR"] == [str(mail.pk)]
    assert [file.stem for file in files(settings)] == [str(other.pk)]


def test_a_mail_that_fails_unexpectedly_does_not_hold_up_other_mails(mail, monkeypatch, settings):
    other = Mail.objects.create(key="x", to="ada@example.com", subject="x", text="x", html="x")
    deliver = Post.deliver

    def fail(post, one):
        if one == mail:
            raise ZeroDivisionError
        deliver(post, one)

    monkeypatch.setattr(Post, "deliver", fail)
    sweep_mails()
    assert [file.stem for file in files(settings)] == [str(other.pk)]


@pytest.mark.django_db(transaction=True)
def test_a_mail_is_not_queued_when_its_transaction_is_rolled_back():
    with pytest.raises(ZeroDivisionError), atomic():
        Mail.objects.create(key="x", to="ada@example.com", subject="x", text="x", html="x")
        1 / 0  # noqa: B018
    assert not Mail.objects.exists()


def test_queueing_a_mail_twice_with_one_key_makes_one_mail(monkeypatch):
    monkeypatch.setattr(
        "cryptons.mail.queueing.render_to_string", lambda name, values: "Subject: Hello\nText" if name.endswith("txt") else "<p>"
    )
    queue_mail("hello:1", to="ada@example.com", template="x", context={})
    queue_mail("hello:1", to="ada@example.com", template="x", context={})

    assert Mail.objects.get().subject == "Hello"


def test_sending_an_unknown_mail_does_nothing():
    assert not send([new_id()], at=timezone.now())


def many(count):
    at = timezone.now() - timedelta(minutes=1)
    return [Mail.objects.create(key=f"{n}", to="ada@example.com", subject="x", text="x", html="x", next_try_at=at) for n in range(count)]


def test_a_sweep_sends_all_mails_that_are_due_with_four_statements_for_a_batch(monkeypatch, django_assert_num_queries):
    sent = []
    monkeypatch.setattr(Post, "deliver", staticmethod(sent.append))
    mails = many(BATCH + 1)
    with django_assert_num_queries(2 * 4):
        sweep_mails()
    assert sorted(mail.key for mail in sent) == sorted(mail.key for mail in mails)
    assert set(Mail.objects.values_list("attempts", "next_try_at")) == {(1, None)}


def test_mails_that_come_during_a_batch_that_is_not_full_are_left_to_the_next_sweep(monkeypatch):
    sent = []

    def deliver(mail):
        sent.append(mail.key)
        if len(sent) <= 3:
            Mail.objects.create(key=f"later {mail.key}", to="ada@example.com", subject="x", text="x", html="x")

    monkeypatch.setattr(Post, "deliver", staticmethod(deliver))
    many(3)
    sweep_mails()
    assert sorted(sent) == ["0", "1", "2"]
    sweep_mails()
    assert sorted(sent[3:]) == ["later 0", "later 1", "later 2"]


def test_what_was_sent_is_stored_every_second_so_that_a_death_repeats_little(monkeypatch):
    clock, sent = iter(range(100)), []
    monkeypatch.setattr(sending, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # others look at the clock, too

    def die_at_the_third(mail):
        if len(sent) == 2:
            raise SystemExit
        sent.append(mail)

    monkeypatch.setattr(Post, "deliver", staticmethod(die_at_the_third))
    with pytest.raises(SystemExit):
        send([mail.pk for mail in many(3)], at=timezone.now())
    assert Mail.objects.exclude(sent_at=None).count() == 2


def test_what_was_sent_is_stored_before_a_slow_server_closes_the_connection(monkeypatch):
    unsent = []
    monkeypatch.setattr(Post, "deliver", staticmethod(lambda mail: None))
    monkeypatch.setattr(Post, "__exit__", lambda *_: unsent.append(Mail.objects.filter(sent_at=None).count()))
    assert send([mail.pk for mail in many(3)], at=timezone.now()) == 3
    assert unsent == [0]


def test_mails_that_a_slow_server_leaves_no_time_for_are_due_at_once_and_have_lost_no_attempt(monkeypatch):
    clock, at = iter(range(0, 1000, 8)), timezone.now().replace(microsecond=0)
    monkeypatch.setattr(sending, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # others look at the clock, too
    monkeypatch.setattr(Post, "deliver", staticmethod(lambda mail: None))
    mails = many(3)
    assert send([mail.pk for mail in mails], at=at) == 1
    assert set(Mail.objects.filter(sent_at=None).values_list("attempts", "next_try_at")) == {(0, at)}


def test_a_mail_that_failed_keeps_its_wait_when_a_slow_server_leaves_no_time_for_others(monkeypatch):
    def refuse(mail):
        raise OSError("refused")

    clock, at = iter(range(0, 1000, 8)), timezone.now().replace(microsecond=0)
    monkeypatch.setattr(sending, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # others look at the clock, too
    monkeypatch.setattr(Post, "deliver", staticmethod(refuse))
    assert send([mail.pk for mail in many(3)], at=at) == 0
    assert sorted(Mail.objects.values_list("attempts", "next_try_at")) == [(0, at), (0, at), (1, at + WAITS[0])]


def test_a_process_sends_no_mail_that_another_one_has_claimed(monkeypatch):
    sent, mine = [], many(2)
    monkeypatch.setattr(Post, "deliver", staticmethod(sent.append))
    Mail.objects.filter(pk=mine[0].pk).update(next_try_at=timezone.now() + HOLD)
    send([mail.pk for mail in mine], at=timezone.now())
    assert [mail.pk for mail in sent] == [mine[1].pk]
