"""One turn of a follower, heard from the sandbox's chain and from a node that is away."""

import socket
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.utils import timezone

from cryptons.db import new_id
from cryptons.mail.models import Mail
from payments.errors import NodeUnavailable
from payments.invoices.settlement import settle
from payments.models import Cursor, Payment, SandboxChain, SandboxTransaction
from payments.networks.base import CursorState, DestinationRequest, FactPage
from payments.networks.registry import get_network
from payments.networks.sandbox.network import mine_block, receive, unmine
from payments.sync import follower
from payments.sync.follower import LEASE, LeaseLost, _unsettled, _write, is_wanted, lease, poll
from payments.tasks import follow_network
from payments.tests.factories import DUE, OptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def option(now):
    return OptionFactory(
        invoice__created_at=now, invoice__expires_at=now + timedelta(minutes=15), invoice__monitor_until=now + timedelta(days=30)
    )


@pytest.fixture(autouse=True)
def resting_chain(now):
    """No block comes during a test unless it asks for one."""
    return SandboxChain.objects.create(network="BTC", height=100, mined_at=now + timedelta(hours=1))


def mine(now, blocks=1):
    for _ in range(blocks):
        mine_block("BTC", now + timedelta(minutes=1))


def turn(option):
    touched = poll("BTC", at=timezone.now())
    return [settle(invoice_id, at=timezone.now()).status for invoice_id in touched]


def test_a_payment_is_followed_until_it_is_settled(option, now):
    receive("BTC", option.destination, DUE, at=now)
    assert turn(option) == ["processing"]
    mine(now)
    assert turn(option) == ["processing"]
    mine(now)
    assert turn(option) == ["settled"]


def test_a_poll_without_news_touches_no_invoice(option, now):
    receive("BTC", option.destination, DUE, at=now)
    turn(option)
    assert poll("BTC", at=timezone.now()) == set()


def test_a_new_block_touches_the_invoices_that_it_confirms(option, now):
    receive("BTC", option.destination, DUE, at=now)
    mine(now)
    turn(option)
    SandboxTransaction.objects.update(changed_at=now - timedelta(days=1))
    mine(now)
    assert poll("BTC", at=timezone.now()) == {option.invoice_id}


def test_a_reorg_takes_the_settlement_back_until_the_payment_is_mined_again(option, now):
    sent = receive("BTC", option.destination, DUE, at=now)
    mine(now, 2)
    assert turn(option) == ["settled"]
    unmine(sent.pk, now=now)
    assert turn(option) == ["processing"]
    mine(now, 2)
    SandboxTransaction.objects.update(height=101, changed_at=now)
    assert turn(option) == ["settled"]


def test_a_payment_six_blocks_deep_is_final_and_no_reorg_changes_it(option, now):
    sent = receive("BTC", option.destination, DUE, at=now)
    mine(now, 5)
    turn(option)
    assert not Payment.objects.get().is_final
    mine(now)
    turn(option)
    assert Payment.objects.get().is_final
    unmine(sent.pk, now=now)
    assert turn(option) == []


def test_a_double_spent_payment_is_gone_and_its_invoice_new(option, now):
    sent = receive("BTC", option.destination, DUE, at=now)
    turn(option)
    SandboxTransaction.objects.filter(pk=sent.pk).update(is_conflicted=True, changed_at=now)
    assert turn(option) == ["new"]
    assert Payment.objects.get().status == "gone"


def test_a_payment_that_came_while_no_worker_ran_is_found_and_in_time(option, now):
    turn(option)
    receive("BTC", option.destination, DUE, at=now)
    mine(now, 2)
    later = now + timedelta(hours=3)
    assert poll("BTC", at=later) == {option.invoice_id}
    assert settle(option.invoice_id, at=later) == settle(option.invoice_id, at=later)
    option.invoice.refresh_from_db()
    assert (option.invoice.status, option.invoice.flags) == ("settled", frozenset())


def test_a_second_follower_does_not_poll_while_the_first_holds_the_lease(option, now):
    receive("BTC", option.destination, DUE, at=now)
    with lease("BTC", at=now) as cursor:
        assert cursor is not None
        assert poll("BTC", at=now) == set()
    assert poll("BTC", at=now) == {option.invoice_id}


def test_a_poll_requested_during_another_one_is_marked_as_wanted(now):
    poll("BTC", at=now)
    assert not is_wanted("BTC")
    with lease("BTC", at=now):
        poll("BTC", at=now)
        assert not is_wanted("BTC")
    assert is_wanted("BTC")
    poll("BTC", at=now)
    assert not is_wanted("BTC")


def test_a_poll_that_was_wanted_meanwhile_is_queued_afterwards(option, now, monkeypatch):
    queued = []
    monkeypatch.setattr("payments.tasks.enqueue", lambda task, *arguments, **_: queued.append((task.name, arguments)))
    monkeypatch.setattr("payments.tasks.poll", lambda network, at: Cursor.objects.create(network=network, is_wanted=True) and set())

    follow_network("BTC")

    assert queued == [("payments.tasks.follow_network", ("BTC",))]


def test_a_follower_that_finds_the_lease_taken_does_not_queue_itself_again(now, monkeypatch):
    """The follower that holds the lease sees that a poll is wanted. If it has died, the next tick after its lease polls."""
    queued = []
    monkeypatch.setattr("payments.tasks.enqueue", lambda task, *arguments, **_: queued.append(task.name))
    Cursor.objects.create(network="BTC", holder=new_id(), until=now + LEASE)

    follow_network("BTC")

    assert queued == []
    assert Cursor.objects.get().is_wanted


def test_a_lease_that_is_released_during_a_request_for_it_is_taken(now, monkeypatch):
    """The second follower comes too early to take the lease, and too late for the first one to see its request."""
    Cursor.objects.create(network="BTC", holder=new_id(), until=now + LEASE)
    tell = follower.in_transaction

    def end_the_first(act):
        Cursor.objects.update(holder=None, until=None)
        return tell(act)

    monkeypatch.setattr(follower, "in_transaction", end_the_first)
    with lease("BTC", at=now) as cursor:
        assert cursor is not None


def test_an_expired_lease_is_taken_over(now):
    with lease("BTC", at=now), lease("BTC", at=now + LEASE) as second:
        assert second is not None


def test_a_follower_that_lost_its_lease_writes_nothing(option, now):
    with lease("BTC", at=now) as cursor:
        Cursor.objects.update(holder=None)
        with pytest.raises(LeaseLost):
            _write(cursor, FactPage((), CursorState("later"), 7), at=now)
    assert Cursor.objects.get().value == ""


@pytest.fixture
def absent_node(settings):
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings.BITCOIN_RPC_HOST, settings.BITCOIN_RPC_PORT = "127.0.0.1", probe.getsockname()[1]
    settings.BITCOIN_RPC_USER = settings.BITCOIN_RPC_PASS = "x"


def test_an_unreachable_node_is_stored_with_the_time_of_its_first_failure(absent_node, now):
    assert poll("BTC", at=now) == set()
    assert poll("BTC", at=now + timedelta(seconds=5)) == set()
    cursor = Cursor.objects.get()
    assert (cursor.failing_since, cursor.holder) == (now, None)
    assert "does not answer" in cursor.last_error


def test_a_node_that_answers_again_is_no_longer_failing(absent_node, settings, now):
    poll("BTC", at=now)
    settings.BITCOIN_RPC_HOST = ""
    poll("BTC", at=now)
    cursor = Cursor.objects.get()
    assert (cursor.failing_since, cursor.last_error, cursor.answered_at) == (None, "", now)


@pytest.mark.parametrize(("away", "mails"), [(timedelta(minutes=9), 0), (timedelta(minutes=10), 1), (timedelta(hours=1), 1)])
def test_staff_get_one_mail_when_a_network_stays_unreachable_for_ten_minutes(away, mails, settings, absent_node, now):
    settings.STAFF_EMAIL = ["grace@example.com"]
    for at in (now, now + away, now + away + timedelta(seconds=5)):
        poll("BTC", at=at)

    assert [(mail.subject, "the node" in mail.text.lower()) for mail in Mail.objects.all()] == [("BTC does not work", True)] * mails


def test_staff_get_another_mail_when_a_network_becomes_unreachable_again(settings, absent_node, now):
    settings.STAFF_EMAIL = ["grace@example.com"]
    for away in (now, now + timedelta(hours=2)):
        poll("BTC", at=away)
        poll("BTC", at=away + timedelta(minutes=11))
        Cursor.objects.update(failing_since=None)

    assert Mail.objects.count() == 2


NONSENSE = [b'{"result": null}', b"[]", b"\xff", b'{"result": "regtest"}', b'{"result": {"chain": "main", "headers": 1}}']


@pytest.mark.parametrize("answer", NONSENSE)
def test_an_invalid_answer_of_a_node_counts_as_no_answer(answer, settings, now):
    class Stranger(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        settings.BITCOIN_RPC_HOST, settings.BITCOIN_RPC_PORT = "127.0.0.1", server.server_port
        settings.BITCOIN_RPC_USER = settings.BITCOIN_RPC_PASS = "x"
        assert poll("BTC", at=now) == set()
        with pytest.raises(NodeUnavailable):
            get_network("BTC").open_destination(DestinationRequest("order_X", DUE, now))
        server.shutdown()

    cursor = Cursor.objects.get(network="BTC")
    assert (cursor.failing_since, cursor.holder) == (now, None)
    assert "Bitcoin node" in cursor.last_error


def test_a_vanished_payment_is_looked_up_until_its_reason_is_known(option, now):
    sent = receive("BTC", option.destination, DUE, at=now)
    turn(option)
    Payment.objects.update(is_present=False)
    settle(option.invoice_id, at=now)
    SandboxTransaction.objects.filter(pk=sent.pk).update(is_conflicted=True, changed_at=now - timedelta(days=1))

    turn(option)

    assert Payment.objects.get().is_conflicted
    assert _unsettled("BTC", at=timezone.now()) == {}


def test_a_payment_that_vanished_a_day_ago_is_no_longer_looked_up(option, now):
    receive("BTC", option.destination, DUE, at=now)
    turn(option)
    Payment.objects.update(is_present=False, status="gone", updated_at=now - timedelta(days=1, seconds=1))
    assert _unsettled("BTC", at=now) == {}


def test_the_day_of_lookups_begins_when_the_payment_vanished(option, now):
    sent = receive("BTC", option.destination, DUE, at=now)
    turn(option)
    Payment.objects.update(updated_at=now - timedelta(days=3))
    SandboxTransaction.objects.filter(pk=sent.pk).update(is_conflicted=True, changed_at=now)
    turn(option)
    Payment.objects.update(is_conflicted=False)

    assert list(_unsettled("BTC", at=timezone.now())) == [f"{sent.txid}:0"]
