"""Staff look at nodes and channels."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.tests.factories import StaffFactory, UserFactory
from payments.networks.lightning.lnd.lightning_pb2 import WalletState
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401
from payments.tests.factories import CursorFactory

pytestmark = pytest.mark.django_db

NODES, CHANNELS = "/admin/payments/cursor/nodes/", "/admin/payments/cursor/channels/"


@pytest.fixture
def staff_who_may(client):
    def log_in(*permissions):
        staff = StaffFactory(is_superuser=False)
        staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(staff)

    return log_in


def read(client, path):
    """The page's words."""
    answer = client.get(path)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


@pytest.mark.parametrize("path", [NODES, CHANNELS])
def test_staff_without_permission_cannot_open_the_node_pages_and_no_node_is_asked(client, staff_who_may, lnd, path):
    staff_who_may("view_payment", "change_invoice")
    assert client.get(path).status_code == 403
    assert lnd.asked == []


@pytest.mark.parametrize("path", [NODES, CHANNELS])
def test_a_buyer_cannot_open_the_node_pages(client, path):
    client.force_login(UserFactory())
    assert client.get(path).status_code == 302


def test_a_healthy_node_is_shown_with_its_figures(client, staff_who_may, lnd):
    CursorFactory(network="BTC-LN", answered_at=timezone.now(), tip_height=None)
    staff_who_may("view_cursor")

    page = read(client, NODES)

    assert "Bitcoin Lightning ✓ Ready" in page
    assert "block 800,000" in page
    assert "Can receive now 1,990,000 sat" in page
    assert lnd.pubkey in page
    assert "Oldest change not evaluated yet none" in page


def test_a_node_that_is_not_available_is_shown_with_its_problem(client, staff_who_may, lnd):
    lnd.state = WalletState.LOCKED
    staff_who_may("view_cursor")
    page = read(client, NODES)
    assert "✕ Not available LND&#x27;s wallet is locked: unlock it with `lncli unlock`." in page


def test_the_sandbox_networks_are_shown_as_play_money(client, staff_who_may):
    staff_who_may("view_cursor")
    page = read(client, NODES)
    assert [name in page for name in ("Bitcoin", "Litecoin", "XRP")] == [True, True, True]
    assert "play money" in page


def test_the_node_page_names_the_settings_when_there_is_no_network(client, staff_who_may, settings):
    settings.SANDBOX = False
    staff_who_may("view_cursor")
    assert "BITCOIN_RPC_HOST" in read(client, NODES)


def test_each_channel_and_the_total_liquidity_are_shown(client, staff_who_may, lnd):
    lnd.add_channel(local=600_000, remote=400_000, active=False)
    staff_who_may("view_cursor")

    page = read(client, CHANNELS)

    assert "Can receive now 1,990,000 sat" in page
    assert "Can send now, about 2,990,000 sat" in page
    assert "Being opened 5,000 sat ours" in page
    assert "! Peer is offline 1,000,000 600,000 400,000 – –" in page
    assert "✓ Active 5,000,000 3,000,000 2,000,000 1,990,000 2,990,000" in page
    assert "All 2 channels 6,000,000 3,600,000 2,400,000 1,990,000 2,990,000" in page


def test_the_channel_page_warns_when_nothing_can_be_received(client, staff_who_may, lnd_of):
    lnd_of("poor").add_channel(local=600_000, remote=0)
    staff_who_may("view_cursor")
    assert "Nothing can be received" in read(client, CHANNELS)


def test_the_channels_of_an_unreachable_lnd_are_not_shown(client, staff_who_may, lnd):
    lnd.stop()
    staff_who_may("view_cursor")
    page = read(client, CHANNELS)
    assert "no connection to LND_HOST" in page
    assert "Can receive" not in page


def test_the_channel_page_names_the_settings_when_there_is_no_lnd(client, staff_who_may):
    staff_who_may("view_cursor")
    assert "LND_HOST" in read(client, CHANNELS)


def test_the_admin_index_and_the_cursor_list_link_to_the_node_pages(client, staff_who_may, lnd):
    CursorFactory(network="BTC-LN", failing_since=timezone.now(), last_error="It is away.")
    staff_who_may("view_cursor")
    first, cursors = client.get("/admin/"), client.get("/admin/payments/cursor/")
    assert [NODES in page.text for page in (first, cursors)] == [True, True]
    assert CHANNELS in cursors.text
    assert "no answer since" in first.text
    assert lnd.asked == []


def test_staff_without_permission_see_no_link_to_the_node_page(client, staff_who_may):
    CursorFactory()
    staff_who_may("view_payment")
    assert NODES not in client.get("/admin/").text
