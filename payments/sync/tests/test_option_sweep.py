"""The slow round outlasts its lease."""

import pytest
from django.utils import timezone

from cryptons.db import new_id
from payments.models import Cursor, Option
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401
from payments.sync import option_sweep
from payments.sync.follower import LEASE, lease
from payments.sync.option_sweep import check_open_options
from payments.tests.factories import OptionFactory
from payments.tests.scripted import Clock

pytestmark = pytest.mark.django_db

OPTIONS = 6


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(timezone.now())
    monkeypatch.setattr(timezone, "now", clock)
    return clock


@pytest.fixture
def now(clock):
    return clock.now


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(option_sweep, "BATCH", 1)


@pytest.fixture
def options(lnd, now):
    found = []
    for number in range(1, OPTIONS + 1):
        found.append(OptionFactory(network="BTC-LN", destination=f"{number:064x}", created_at=now))
        lnd.add(found[-1].destination)
        lnd.pay(found[-1].destination, now)
    return found


def each_part(monkeypatch, act):
    """`act` with the number of the part, after LND was asked for it."""
    as_ever, parts = option_sweep._check, []

    def look_after(lnd, batch, *, at):
        touched = as_ever(lnd, batch, at=at)
        parts.append(batch)
        act(len(parts))
        return touched

    monkeypatch.setattr(option_sweep, "_check", look_after)
    return parts


def test_a_second_lightning_sweep_cannot_begin_while_one_is_running(options, clock, now, monkeypatch):
    second = []

    def slowly(number):
        clock.forward(LEASE * 0.7)
        with lease("LN round", at=clock.now) as theirs:
            second.append(theirs)

    each_part(monkeypatch, slowly)
    touched = check_open_options("BTC-LN", at=now)

    assert second == [None] * OPTIONS
    assert touched == {option.invoice_id for option in options}
    assert Cursor.objects.get(network="LN round").holder is None


def test_a_option_sweep_that_lost_its_lease_stops_and_keeps_its_results(options, now, monkeypatch):
    other = new_id()

    def lose(number):
        if number == 2:
            Cursor.objects.filter(network="LN round").update(holder=other)

    parts = each_part(monkeypatch, lose)
    touched = check_open_options("BTC-LN", at=now)

    assert len(parts) == 2
    assert touched == {option.invoice_id for option in options[:2]}
    assert Option.objects.filter(is_closed=True).count() == 2
    assert Cursor.objects.get(network="LN round").holder == other
