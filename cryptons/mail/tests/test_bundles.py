"""Mails of one kind to one address within a minute come together."""

from datetime import UTC, datetime, timedelta

import pytest

from cryptons.mail import queueing
from cryptons.mail.message import message_id
from cryptons.mail.models import Mail
from cryptons.mail.post import Post
from cryptons.mail.queueing import queue_mail
from cryptons.mail.sending import MOST_TOGETHER, send_due

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 26, 10, 30, 10, tzinfo=UTC)


@pytest.fixture
def sent(monkeypatch):
    mails = []
    monkeypatch.setattr(Post, "deliver", staticmethod(mails.append))
    return mails


def queue(number, *, at, to="grace@example.com", bundle="staff:orders"):
    context = {"subject": f"Order {number} <b>", "body": f"{number} × Kettle", "url": f"https://shop.example/{number}"}
    mail = queueing.render_mail(f"sale:{number}:{to}", to=to, template="mail/staff", context=context)
    mail.created_at = mail.next_try_at = at
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queueing, "render_mail", lambda *_, **__: mail)
        queue_mail(mail.key, to=to, template="", context={}, bundle=bundle)


def test_the_first_mail_goes_at_once_and_the_others_of_its_minute_together_at_the_end_of_it(sent):
    for number in range(3):
        queue(number, at=NOW + timedelta(seconds=number))
    send_due(at=NOW + timedelta(seconds=5))
    assert [mail.subject for mail in sent] == ["Order 0 <b>"]

    send_due(at=NOW + timedelta(seconds=49))
    assert len(sent) == 1
    send_due(at=NOW + timedelta(seconds=50))

    assert [mail.subject for mail in sent[1:]] == ["Order 1 <b>, and 1 more"]
    assert all(f"{number} × Kettle" in part for number in (1, 2) for part in (sent[1].text, sent[1].html))
    assert 'href="https://shop.example/2"' in sent[1].html
    assert "Order 2 &lt;b&gt;" in sent[1].html
    assert not Mail.objects.filter(sent_at=None).exists()


def test_mails_to_other_addresses_and_of_other_kinds_stay_apart(sent):
    queue(1, at=NOW)
    queue(2, at=NOW, to="ada@example.com")
    queue(3, at=NOW, bundle="staff:payouts")
    queue(4, at=NOW, bundle="")
    queue(5, at=NOW, bundle="")
    send_due(at=NOW)
    assert len(sent) == 5


def test_a_flood_is_one_mail_that_says_how_many_there_are(sent):
    for number in range(MOST_TOGETHER + 3):
        queue(number, at=NOW)
    send_due(at=NOW)
    send_due(at=NOW + timedelta(minutes=1))
    assert [mail.subject for mail in sent] == ["Order 0 <b>", f"Order 1 <b>, and {MOST_TOGETHER + 1} more"]
    assert "2 more are in the admin." in sent[1].text
    assert Mail.objects.filter(attempts=1).exclude(sent_at=None).count() == MOST_TOGETHER + 3


def test_a_bundle_that_has_grown_since_a_crash_is_no_copy_of_what_was_sent(monkeypatch, sent):
    def deliver_and_die(mail):
        sent.append(mail)
        raise SystemExit

    monkeypatch.setattr(Post, "deliver", staticmethod(deliver_and_die))
    queue(1, at=NOW)
    for minute, has_grown in ((0, False), (2, False), (4, True)):
        if has_grown:
            queue(2, at=NOW)
        with pytest.raises(SystemExit):
            send_due(at=NOW + timedelta(minutes=minute))

    first, copy, grown = (message_id(mail) for mail in sent)
    assert first == copy
    assert grown != first


def test_a_bundle_that_fails_is_tried_again_as_a_whole(monkeypatch, sent):
    def refuse(mail):
        raise ConnectionRefusedError("away")

    queue(1, at=NOW - timedelta(seconds=20))
    queue(2, at=NOW)
    monkeypatch.setattr(Post, "deliver", staticmethod(refuse))
    send_due(at=NOW + timedelta(minutes=1))
    assert set(Mail.objects.values_list("attempts", "last_error")) == {(1, "ConnectionRefusedError: away")}
    monkeypatch.setattr(Post, "deliver", staticmethod(sent.append))
    send_due(at=NOW + timedelta(minutes=2))
    assert len(sent) == 1
