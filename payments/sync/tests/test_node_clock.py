"""A node's clock that is wrong: it makes no buyer late, and staff are told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.invoices.settlement import settle
from payments.models import Payment, SandboxChain, SandboxTransaction
from payments.networks.sandbox.network import receive
from payments.sync.follower import poll
from payments.sync.node_clock import clock_trouble
from payments.sync.node_health import read_nodes
from payments.tests.factories import DUE, OptionFactory

pytestmark = pytest.mark.django_db
HOURS = timedelta(hours=3)


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def option(now):
    SandboxChain.objects.create(network="BTC", height=100, mined_at=now + timedelta(hours=1))
    return OptionFactory(
        invoice__created_at=now, invoice__expires_at=now + timedelta(minutes=15), invoice__monitor_until=now + timedelta(days=30)
    )


def pay(option, now, *, clock):
    poll("BTC", at=timezone.now())
    receive("BTC", option.destination, DUE, at=now + clock)
    SandboxTransaction.objects.update(changed_at=timezone.now())
    for invoice_id in poll("BTC", at=timezone.now()):
        settle(invoice_id, at=timezone.now())
    option.invoice.refresh_from_db()


def warnings(now):
    (report,) = [report for report in read_nodes(at=now) if report.network == "BTC"]
    return " ".join(report.warnings)


def test_a_node_whose_clock_is_three_hours_ahead_makes_no_buyer_late_and_is_reported(option, now):
    pay(option, now, clock=HOURS)

    assert (option.invoice.status, option.invoice.flags) == ("processing", frozenset())
    assert Payment.objects.get().first_seen_at <= timezone.now()
    assert "The node's clock is 180 minutes ahead of the shop's." in warnings(now)


def test_a_node_whose_clock_is_three_hours_behind_is_reported(option, now):
    pay(option, now, clock=-HOURS)

    assert option.invoice.status == "processing"
    assert "The node's clock is 180 minutes behind the shop's." in warnings(now)


def test_the_next_payment_with_the_right_time_ends_the_report(option, now):
    pay(option, now, clock=HOURS)
    SandboxTransaction.objects.all().delete()
    pay(option, now, clock=timedelta(0))

    assert "clock" not in warnings(now)


def test_money_for_nobody_does_not_show_that_the_clock_is_slow(option, now):
    poll("BTC", at=timezone.now())
    receive("BTC", "bcrt1qsomebodyelse", DUE, at=now - HOURS)
    SandboxTransaction.objects.update(changed_at=timezone.now())
    poll("BTC", at=timezone.now())

    assert "clock" not in warnings(now)


@pytest.mark.parametrize("off", [timedelta(0), timedelta(minutes=2), -timedelta(minutes=2)])
def test_two_minutes_are_not_worth_a_report(off):
    assert clock_trouble(off) == ""
