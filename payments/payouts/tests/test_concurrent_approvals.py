"""Two approvals at once: together they never go over the day's limit, on any database."""

from contextlib import suppress
from decimal import Decimal
from threading import Barrier, BrokenBarrierError, Thread

import pytest
from django.db import OperationalError, connection

from payments.errors import PayoutMoved, PayoutRefused
from payments.models import Cursor, Payout
from payments.payouts import workflow
from payments.payouts.workflow import APPROVALS, approve_payout
from payments.tests.factories import NOW, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _settings(settings, monkeypatch):
    """Two payouts of 100.00 each, of which the day's limit allows one; nothing is sent."""
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT, settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000), Decimal(150), Decimal(1000)
    monkeypatch.setattr("payments.tasks.enqueue", lambda *_, **__: None)


@pytest.fixture
def payouts():
    """Two drafts of different invoices, so that no other guard stands between their approvals."""
    return [
        PayoutFactory(
            invoice=PaymentFactory(status="settled", height=1, option__invoice__status="settled").invoice, destination=f"to {name}"
        )
        for name in ("a", "b")
    ]


def approve_in_threads(payouts):
    """Approve each payout in a thread with a connection of its own. Returns the problems that the approvers were told."""
    problems = []

    def approve(payout):
        try:
            while True:
                try:
                    approve_payout(payout.pk, actor="grace", at=NOW)
                    return
                except OperationalError:  # SQLite in memory does not wait for another writer
                    continue
        except (PayoutRefused, PayoutMoved) as error:
            problems.append(str(error))
        finally:
            connection.close()

    threads = [Thread(target=approve, args=[payout]) for payout in payouts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


def test_two_simultaneous_approvals_cannot_both_use_the_rest_of_the_daily_limit(monkeypatch, payouts):
    """Each waits, after it has added up the day, until the other has done so, too: a guard must make that impossible."""
    both_have_read, check_limits = Barrier(2), workflow._within_limits

    def check_and_wait(payout, *, at):
        check_limits(payout, at=at)
        with suppress(BrokenBarrierError):
            both_have_read.wait(timeout=1)

    monkeypatch.setattr(workflow, "_within_limits", check_and_wait)

    problems = approve_in_threads(payouts)

    assert sorted(Payout.objects.values_list("status", flat=True)) == ["approved", "draft"]
    assert [("PAYOUT_DAILY_LIMIT" in problem) for problem in problems] == [True]


def test_an_approval_that_read_an_outdated_counter_checks_the_daily_limit_again(monkeypatch, payouts):
    """The same race without threads: the first read of the counter is the one from before the other approval."""
    approve_payout(payouts[0].pk, actor="grace", at=NOW)
    before = Cursor(network=APPROVALS, value="")
    read, reads = Cursor.objects.get_or_create, []

    def read_old_once(**fields):
        reads.append(fields)
        return (before, False) if len(reads) == 1 else read(**fields)

    monkeypatch.setattr(Cursor.objects, "get_or_create", read_old_once)

    with pytest.raises(PayoutRefused, match="PAYOUT_DAILY_LIMIT"):
        approve_payout(payouts[1].pk, actor="grace", at=NOW)

    assert reads == [{"network": APPROVALS}] * 2
    assert Cursor.objects.get(network=APPROVALS).value == "1"
