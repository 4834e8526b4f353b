"""Nodes and channels for staff's programs: over the API, and with the probe's answer."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from cryptons.tests.disks import break_disk, fill_disk
from payments.api.nodes import recent_nodes
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401
from payments.tests.factories import CursorFactory

pytestmark = pytest.mark.django_db


def staff_who_may(*permissions):
    staff = StaffFactory(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return staff


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def test_channels_and_their_liquidity_are_decimal_strings(lnd):
    answer = ApiClient(staff_who_may("view_cursor")).get("/api/admin/lightning")

    data = answer.json()["data"]
    assert (data["receivable"], data["spendable"]) == ("0.01990000000", "0.02990000000")
    assert (data["capacity"], data["local"], data["remote"]) == ("0.05000000", "0.03000000", "0.02000000")
    assert (data["openingLocal"], data["openingRemote"]) == ("0.00005000", "0.00000000")
    (channel,) = data["channels"]
    assert (channel["receivable"], channel["spendable"], channel["active"]) == ("0.01990000", "0.02990000", True)


@pytest.mark.parametrize(("who", "status"), [(None, 401), (UserFactory, 403), (lambda: staff_who_may("view_payment"), 403)])
def test_listing_channels_needs_permission(lnd, who, status):
    assert ApiClient(who() if who else None).get("/api/admin/lightning").status_code == status
    assert lnd.asked == []


def test_listing_channels_without_lnd_is_answered_with_404():
    answer = ApiClient(staff_who_may("view_cursor")).get("/api/admin/lightning")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "No LND is configured.")


def test_listing_channels_of_an_unreachable_lnd_names_the_problem(lnd):
    lnd.stop()
    answer = ApiClient(staff_who_may("view_cursor")).get("/api/admin/lightning")
    assert answer.status_code == 503
    assert "no connection to LND_HOST" in answer.json()["error"]["message"]


@pytest.mark.parametrize("client_of", [ApiClient, browser_of])
def test_the_health_probe_shows_the_nodes_to_staff_with_permission(lnd, client_of):
    CursorFactory(network="BTC-LN", failing_since="2026-11-24T10:00:00Z", last_error="It was away.")

    answer = client_of(staff_who_may("view_cursor")).get("/healthz")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    (node,) = answer.json()["details"]["nodes"]
    assert (node["network"], node["status"], node["height"], node["peers"]) == ("BTC-LN", "attention", 800_000, 1)
    assert node["channels"] == {"total": 1, "active": 1, "receivable": "0.01990000000", "spendable": "0.02990000000"}
    assert node["follower"]["lastError"] == "It was away."
    assert node["oldestUnsettledSeconds"] is None
    assert answer["Cache-Control"] == "no-store"


def test_the_health_probe_says_to_staff_that_payments_are_noticed_late(lnd):
    CursorFactory(network="BTC-LN", answered_at=timezone.now() - timedelta(minutes=3))

    (node,) = browser_of(staff_who_may("view_cursor")).get("/healthz").json()["details"]["nodes"]

    assert node["status"] == "attention"
    assert any("so payments are noticed late" in warning for warning in node["warnings"])


def test_the_health_probe_fails_while_the_disk_cannot_be_written_and_recovers(monkeypatch, client):
    break_disk(monkeypatch)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "Nothing can be written to the disk of DATA_DIR (Read-only file system)" in answer.json()["error"]["message"]

    monkeypatch.undo()
    assert client.get("/healthz").json() == {"status": "ok"}


def test_the_health_probe_says_to_staff_that_the_disk_is_nearly_full(lnd, monkeypatch):
    fill_disk(monkeypatch, free=499_999_999)
    answer = browser_of(staff_who_may("view_cursor")).get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert "only 499 MB are free" in answer.json()["details"]["disk"]["problem"]


def nobody():
    return Client()


@pytest.mark.parametrize(
    "client_of",
    [
        nobody,
        lambda: Client(HTTP_AUTHORIZATION="Bearer nonsense"),
        lambda: Client(HTTP_AUTHORIZATION="Basic eDp5"),
        lambda: ApiClient(UserFactory()),
        lambda: browser_of(UserFactory()),
        lambda: ApiClient(staff_who_may("view_payment", "view_order")),
        lambda: browser_of(staff_who_may("view_payment", "view_order")),
        lambda: ApiClient(StaffFactory(is_active=False)),
    ],
)
def test_the_health_probe_shows_no_details_to_others_and_asks_no_node(lnd, client_of):
    answer = client_of().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert lnd.asked == []


def test_the_health_probe_shows_no_details_to_a_former_member_of_staff(lnd):
    """A person keeps their permissions when `is_staff` is taken away."""
    former = staff_who_may("view_cursor")
    client = browser_of(former)
    former.is_staff = False
    former.save()
    assert client.get("/healthz").json() == {"status": "ok"}


def test_the_health_probe_costs_at_most_one_query(django_assert_max_num_queries, client):
    with django_assert_max_num_queries(1):
        client.get("/healthz")


def test_repeated_health_probes_do_not_ask_the_nodes_again(lnd):
    client = ApiClient(staff_who_may("view_cursor"))
    first = client.get("/healthz").json()["details"]
    asked = list(lnd.asked)
    assert [client.get("/healthz").json()["details"] for _ in range(5)] == [first] * 5
    assert lnd.asked == asked


def test_a_report_on_the_nodes_is_cached_for_its_language_only(lnd):
    recent_nodes()
    asked = len(lnd.asked)
    with override("de"):
        recent_nodes()
    assert len(lnd.asked) > asked
