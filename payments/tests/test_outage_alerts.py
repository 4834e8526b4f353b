"""Staff are told of an outage also when the worker, which sends the mails, is what is down."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import OperationalError
from django.utils import timezone

from cryptons.mail.models import Mail
from cryptons.mail.post import Post
from cryptons.signals import web_started
from cryptons.tests.disks import break_disk, fill_disk
from payments import outage_alerts
from payments.models import Cursor
from payments.outage_alerts import AWAY_FOR, REPEAT_AFTER, OutageWatch, alert_of_disk, alert_of_worker
from payments.tasks import watch_disk
from payments.tests.factories import CursorFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _staff(settings, monkeypatch):
    """Mails go to Django's outbox."""
    settings.STAFF_EMAIL, settings.MAIL_SERVER = ["grace@example.com"], "a server"
    monkeypatch.setattr("cryptons.mail.sending.connection_to", lambda server: mail.get_connection())
    monkeypatch.setattr(Post, "deliver", lambda _, sent: mail.outbox.append(mail.EmailMessage(sent.subject, sent.text)))
    monkeypatch.setattr(outage_alerts, "_told_at", {})


def poll_all(at, **fields):
    for network in ("BTC", "LTC", "XRP"):
        CursorFactory(network=network, answered_at=at, **fields)


def subjects():
    return [message.subject for message in mail.outbox]


# --- The worker ---------------------------------------------------------------------------------------------------------------


def test_a_web_process_tells_staff_once_that_no_worker_polls():
    now = timezone.now()
    poll_all(now - timedelta(minutes=3))

    for seconds in (0, 30, 60):
        alert_of_worker(at=now + timedelta(seconds=seconds))

    assert subjects() == ["Payments are not noticed"]
    assert "Check that the worker runs" in mail.outbox[0].body
    assert Mail.objects.get().sent_at is not None


def test_each_outage_of_the_worker_is_told():
    now = timezone.now()
    poll_all(now - timedelta(minutes=30))
    alert_of_worker(at=now - timedelta(minutes=20))
    Cursor.objects.update(answered_at=now - timedelta(minutes=5))
    alert_of_worker(at=now)
    assert subjects() == ["Payments are not noticed"] * 2


@pytest.mark.parametrize(
    "fields",
    [{}, {"failing_since": "2026-11-24T10:00:00Z"}],
    ids=["polled lately", "its node is away, which the worker tells itself"],
)
def test_nothing_is_told_while_the_worker_polls(fields):
    now = timezone.now()
    poll_all(now - timedelta(minutes=3) if fields else now, **fields)
    alert_of_worker(at=now)
    assert (subjects(), Mail.objects.count()) == ([], 0)


def test_a_mail_that_the_server_refuses_is_tried_again(monkeypatch):
    def away(post, sent):
        raise ConnectionRefusedError("no server")

    now = timezone.now()
    poll_all(now - timedelta(minutes=3))
    with monkeypatch.context() as patch:
        patch.setattr(Post, "deliver", away)
        alert_of_worker(at=now)
    Mail.objects.update(next_try_at=now)

    alert_of_worker(at=now)

    assert subjects() == ["Payments are not noticed"]


# --- The disk -----------------------------------------------------------------------------------------------------------------


def test_staff_are_told_once_a_day_that_a_disk_is_nearly_full(monkeypatch):
    now = timezone.now().replace(hour=12)
    fill_disk(monkeypatch, free=10_000_000)
    for hours in (0, 1, 24):
        alert_of_disk(at=now + timedelta(hours=hours))
    assert subjects() == ["The shop needs space on its disk"] * 2
    assert "only 10 MB are free" in mail.outbox[0].body


def test_beat_looks_at_the_disk_of_the_worker(monkeypatch):
    fill_disk(monkeypatch, free=10_000_000)
    watch_disk()
    assert subjects() == ["The shop needs space on its disk"]


def test_a_disk_with_space_is_not_told():
    alert_of_disk(at=timezone.now())
    assert subjects() == []


def test_a_disk_that_cannot_be_written_is_told_without_the_database_once_an_hour(monkeypatch):
    def refuse(*_, **__):
        raise OperationalError("attempt to write a readonly database")

    break_disk(monkeypatch)
    monkeypatch.setattr(outage_alerts, "mail_staff", refuse)
    now = timezone.now()
    for moment in (now, now + REPEAT_AFTER - timedelta(seconds=1), now + REPEAT_AFTER):
        alert_of_disk(at=moment)
    assert subjects() == ["The shop cannot write to its disk"] * 2
    assert "Read-only file system" in mail.outbox[0].body


# --- The database -------------------------------------------------------------------------------------------------------------


def test_a_database_that_does_not_answer_for_two_minutes_is_told_without_it(monkeypatch):
    def away(*_, **__):
        raise OperationalError("gone")

    now, watch = timezone.now(), OutageWatch()
    with monkeypatch.context() as patch:
        patch.setattr(outage_alerts, "unpolled_networks", away)
        watch.look(at=now)
        watch.look(at=now + AWAY_FOR - timedelta(seconds=1))
        assert subjects() == []
        watch.look(at=now + AWAY_FOR)
        watch.look(at=now + 2 * AWAY_FOR)
    assert subjects() == ["The shop's database does not answer"]

    watch.look(at=now + 3 * AWAY_FOR)
    assert watch.database_away_since is None


def test_a_web_process_looks_for_outages_if_there_is_staff_to_tell(settings, monkeypatch):
    started = []
    monkeypatch.setattr(
        outage_alerts.threading, "Thread", lambda **options: type("Thread", (), {"start": lambda _: started.append(options)})()
    )
    web_started.send(sender=None)
    settings.STAFF_EMAIL = []
    web_started.send(sender=None)
    assert [(options["name"], options["daemon"]) for options in started] == [("OutageWatch", True)]
