"""A payment that stays unconfirmed holds rate and stock for two hours. When it confirms later, it is judged as late money is."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from cryptons.events.models import Event
from payments.invoices.requoting import preview_quote
from payments.invoices.settlement import settle
from payments.models import Cursor, Invoice, Payment
from payments.networks.base import Fact
from payments.sync.facts import mark_slow, store_facts
from payments.tasks import sweep_invoices
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, OptionFactory
from payments.tests.subjects import RecordingSubject

pytestmark = pytest.mark.django_db(transaction=True)

SEEN = NOW + timedelta(minutes=1)
HOLD_ENDS = SEEN + timedelta(minutes=120)
DAYS_LATER = NOW + timedelta(days=3)


@pytest.fixture(autouse=True)
def _rate(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}


@pytest.fixture
def option():
    CursorFactory()
    return OptionFactory()


def tell(option, *, at, seen_at=SEEN, height=None, is_present=True, is_conflicted=False):
    """The node answers at that time, and the sweep comes."""
    fact = Fact("a:0", option.destination, DUE, seen_at, height=height, is_present=is_present, is_conflicted=is_conflicted)
    store_facts("BTC", [fact])
    Cursor.objects.update(answered_at=at)
    mark_slow()
    return settle(option.invoice_id, at=at)


def test_an_unconfirmed_payment_holds_the_rate_for_two_hours_and_no_longer(option):
    before = tell(option, at=HOLD_ENDS - timedelta(seconds=1))
    after = tell(option, at=HOLD_ENDS)

    assert (before.status, before.flags) == ("processing", frozenset())
    assert (after.status, after.flags, after.paid_seen_minor) == ("expired", {"slow"}, 10_000)
    invoice = Invoice.objects.get()
    assert (invoice.exceptions, invoice.needs_decision) == ({"slow"}, True)


def test_an_unconfirmed_payment_holds_the_rate_at_least_as_long_as_its_quote(option):
    end = HOLD_ENDS + timedelta(hours=1)
    option.expires_at = end
    option.save()
    Invoice.objects.update(expires_at=end)
    assert tell(option, at=end - timedelta(seconds=1)).status == "processing"
    assert tell(option, at=end).flags == {"slow"}


@pytest.mark.parametrize(("rate", "status"), [("49000.00", "settled"), ("48999.99", "expired"), ("90000.00", "settled")])
def test_a_slow_payment_that_confirms_is_accepted_unless_the_rate_moved_against_the_shop(option, settings, rate, status):
    tell(option, at=HOLD_ENDS)
    settings.FIXED_RATES = {"BTC": Decimal(rate)}

    verdict = tell(option, at=DAYS_LATER, height=TIP - 1)

    assert (verdict.status, verdict.flags) == (status, {"late", "slow"})
    assert Payment.objects.get().late == ("slow" if status == "settled" else "waiting")
    assert Invoice.objects.get().needs_decision == (status == "expired")


def test_a_slow_payment_of_goods_that_are_sold_out_waits_for_a_decision(option, monkeypatch):
    tell(option, at=HOLD_ENDS)
    shop = RecordingSubject(refusal="sold out")
    monkeypatch.setattr("payments.subject._registered", [shop])

    for _ in range(2):
        assert tell(option, at=DAYS_LATER, height=TIP - 1).status == "expired"

    assert (len(shop.asked), Payment.objects.get().late) == (1, "waiting")
    assert Event.objects.latest("seq").data["waitingLate"] == ["a:0"]


def test_a_payment_that_was_confirmed_in_time_never_becomes_slow(option):
    tell(option, at=SEEN, height=TIP)
    assert tell(option, at=DAYS_LATER).status == "processing"  # a reorg put it back into the mempool
    assert not Payment.objects.get().is_slow


def test_an_outage_of_the_node_makes_no_payment_slow(option):
    store_facts("BTC", [Fact("a:0", option.destination, DUE, SEEN)])
    Cursor.objects.update(answered_at=HOLD_ENDS - timedelta(seconds=1), failing_since=HOLD_ENDS)
    mark_slow()
    assert settle(option.invoice_id, at=DAYS_LATER).status == "processing"


def test_a_late_payment_that_was_accepted_unconfirmed_is_judged_again_when_it_is_slow(option, settings):
    seen = EXPIRY + timedelta(minutes=30)
    assert tell(option, at=seen, seen_at=seen).status == "processing"
    assert tell(option, at=seen + timedelta(hours=2), seen_at=seen).flags == {"slow"}
    settings.FIXED_RATES = {"BTC": Decimal("40000.00")}

    assert tell(option, at=DAYS_LATER, seen_at=seen, height=TIP - 1).status == "expired"

    assert Payment.objects.get().late == "waiting"


def test_a_reorg_of_a_slow_payment_that_was_accepted_does_not_expire_the_invoice(option):
    tell(option, at=HOLD_ENDS)
    tell(option, at=DAYS_LATER, height=TIP - 1)
    verdict = tell(option, at=DAYS_LATER)
    assert (verdict.status, verdict.flags) == ("processing", {"late", "slow", "reorged"})


def test_a_slow_payment_that_is_double_spent_leaves_an_expired_invoice(option):
    tell(option, at=HOLD_ENDS)
    verdict = tell(option, at=DAYS_LATER, is_present=False, is_conflicted=True)
    assert (verdict.status, verdict.flags) == ("expired", {"double_spent"})


def test_a_new_quote_asks_for_the_whole_price_while_a_slow_payment_is_unconfirmed(option):
    tell(option, at=HOLD_ENDS)
    preview = preview_quote(option.invoice_id, at=HOLD_ENDS)
    assert (preview.remaining_minor, preview.late) == (10_000, ())


def test_the_sweep_finds_slow_payments_without_a_message():
    now = timezone.now().replace(microsecond=0)
    opened = now - timedelta(hours=3)
    CursorFactory(answered_at=now)
    times = {"created_at": opened, "expires_at": opened + timedelta(minutes=15)}
    waiting = OptionFactory(expires_at=opened + timedelta(minutes=15), **{f"invoice__{name}": at for name, at in times.items()})
    store_facts("BTC", [Fact("a:0", waiting.destination, DUE, opened)])
    settle(waiting.invoice_id, at=opened + timedelta(hours=1))
    assert Invoice.objects.get().status == "processing"

    sweep_invoices()

    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.flags) == ("expired", {"slow"})
