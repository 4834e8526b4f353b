"""How everything is that the shop stands on, over the API."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import OperationalError
from django.utils import timezone
from kombu.exceptions import OperationalError as QueueAway

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from cryptons.mail.models import Mail
from cryptons.tests.disks import fill_disk
from payments.tests.factories import CursorFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def api():
    staff = StaffFactory(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename="view_order"))
    return ApiClient(staff)


@pytest.fixture
def _heard():
    for network in ("BTC", "LTC", "XRP"):
        CursorFactory(network=network, answered_at=timezone.now())


def read(api):
    answer = api.get("/api/admin/health")
    assert answer.status_code == 200, answer.content
    assert answer["Cache-Control"] == "no-store"
    return answer.json()["data"]


@pytest.mark.usefixtures("_heard")
def test_a_healthy_shop_reports_ok_for_every_part(api, build_index):
    build_index()

    data = read(api)

    parts = ["database", "disk", "cache", "search", "queue", "mail", "nodes"]
    assert {part: (data[part]["status"], data[part]["problem"]) for part in parts} == dict.fromkeys(parts, ("ok", ""))
    assert data["status"] == "ok"
    assert isinstance(data["queue"]["waiting"], int)
    assert [node["network"] for node in data["nodes"]["networks"]] == ["BTC", "LTC", "XRP"]


@pytest.mark.parametrize(("who", "status"), [(None, 401), (UserFactory, 403), (lambda: StaffFactory(is_superuser=False), 403)])
def test_the_health_report_needs_permission(who, status):
    assert ApiClient(who() if who else None).get("/api/admin/health").status_code == status


@pytest.mark.usefixtures("_heard")
def test_the_health_report_has_trouble_while_the_disk_is_nearly_full(api, monkeypatch, build_index):
    build_index()
    fill_disk(monkeypatch, free=499_999_999)
    data = read(api)
    assert (data["status"], data["disk"]["status"], data["disk"]["freeBytes"]) == ("trouble", "trouble", 499_999_999)
    assert "only 499 MB are free" in data["disk"]["problem"]


def test_the_health_report_is_a_503_when_the_database_is_down(api, monkeypatch):
    def away():
        raise OperationalError("gone")

    monkeypatch.setattr("shop.health.ping", away)
    answer = api.get("/api/admin/health")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")


def test_the_health_report_names_a_cache_that_stores_nothing(api, settings):
    settings.CACHES = {**settings.CACHES, "shared": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert "Redis" in read(api)["cache"]["problem"]


def test_the_health_report_names_a_search_without_an_index(api):
    data = read(api)
    assert (data["search"]["status"], "The database searches until it" in data["search"]["problem"]) == ("attention", True)


@pytest.mark.parametrize("error", [QueueAway("gone"), ConnectionRefusedError()])
def test_the_health_report_names_a_queue_that_is_down(api, monkeypatch, error):
    def away():
        raise error

    monkeypatch.setattr("shop.health.queue_length", away)
    data = read(api)
    assert (data["queue"]["status"], data["queue"]["waiting"]) == ("attention", None)


def test_the_health_report_names_a_part_that_hangs_and_does_not_wait_for_it(api, monkeypatch):
    from threading import Event

    never = Event()
    monkeypatch.setattr("shop.health.queue_length", never.wait)
    monkeypatch.setattr("shop.health.WITHIN", timedelta(seconds=0.3))
    assert "does not answer in time" in read(api)["queue"]["problem"]
    never.set()


def mail(key, *, minutes, sent=False):
    at = timezone.now() - timedelta(minutes=minutes)
    values = {"sent_at": at, "next_try_at": None} if sent else {"last_error": "ConnectionRefusedError"}
    Mail.objects.create(key=key, to="a@example.com", subject="x", text="x", html="x", created_at=at, **values)


def test_the_health_report_counts_waiting_mails_and_reports_old_ones(api):
    mail("sent", minutes=90, sent=True)
    mail("new", minutes=1)
    assert (read(api)["mail"]["waiting"], read(api)["mail"]["problem"]) == (1, "")

    mail("old", minutes=60)
    data = read(api)
    assert (data["mail"]["waiting"], data["mail"]["status"]) == (2, "attention")
    assert "ConnectionRefusedError" in data["mail"]["problem"]


def test_the_shop_is_as_healthy_as_its_worst_part(api):
    """No follower has ever run here."""
    data = read(api)
    assert data["nodes"]["status"] == data["status"] == "attention"
    assert data["nodes"]["problem"] == "Check: Bitcoin, Litecoin, XRP."
