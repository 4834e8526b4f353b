"""What nobody needs any more is deleted, in steps."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from cryptons import chunks
from cryptons.chunks import delete_in_chunks
from cryptons.mail.models import Mail
from cryptons.mail.queueing import queue_mail
from cryptons.mail.sending import forget_old_mails
from cryptons.tasks import forget_old_sessions

pytestmark = pytest.mark.django_db


def add_session(key: str, *, days: int) -> Session:
    return Session.objects.create(session_key=key, session_data="", expire_date=timezone.now() + timedelta(days=days))


def test_expired_sessions_are_deleted():
    kept = add_session("kept", days=1)
    add_session("expired", days=-1)

    forget_old_sessions()

    assert Session.objects.get() == kept


def test_rows_are_deleted_in_chunks(monkeypatch, django_assert_num_queries):
    for number in range(5):
        add_session(str(number), days=-1)
    monkeypatch.setattr(chunks, "CHUNK", 2)

    with django_assert_num_queries(7):  # a list and a deletion for each chunk, and a last list that is empty
        assert delete_in_chunks(Session.objects.all()) == 5


def add_mail(key: str, *, days: int, sent: bool = True, given_up: bool = False) -> Mail:
    at = timezone.now() - timedelta(days=days)
    times = {"created_at": at, "sent_at": at if sent else None, "next_try_at": None if sent or given_up else timezone.now()}
    return Mail.objects.create(key=key, to="ada@example.com", subject="Order 7", text="Hello Ada", html="<p>Hello Ada</p>", **times)


def test_old_mails_are_emptied_with_their_files_and_newer_ones_are_kept(settings):
    old, given_up = add_mail("old", days=91), add_mail("given-up", days=91, sent=False, given_up=True)
    kept = [add_mail("new", days=89), add_mail("waiting", days=91, sent=False)]
    folder = Path(settings.MAIL_DIR)
    folder.mkdir()
    for mail in (old, kept[0]):
        (folder / f"{mail.pk}.eml").touch()

    assert forget_old_mails(at=timezone.now()) == 2
    assert forget_old_mails(at=timezone.now()) == 0

    for mail in (old, given_up):
        mail.refresh_from_db()
        assert (mail.to, mail.subject, mail.text, mail.html) == ("", "", "", "")
    assert set(Mail.objects.exclude(text="")) == set(kept)
    assert [file.name for file in folder.iterdir()] == [f"{kept[0].pk}.eml"]


def test_an_occasion_whose_mail_was_emptied_makes_no_second_one(settings):
    add_mail("order-received:1", days=91)
    forget_old_mails(at=timezone.now())

    queue_mail("order-received:1", to="ada@example.com", template="nothing", context={})

    assert Mail.objects.count() == 1


def test_how_long_mails_are_kept_is_a_setting(settings):
    settings.MAIL_KEEP_DAYS = 7
    add_mail("old", days=8)
    assert forget_old_mails(at=timezone.now()) == 1
