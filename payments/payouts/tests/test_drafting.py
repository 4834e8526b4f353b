"""What a draft of a payout holds, what it may not be, and how its destination changes it. Refusals are read by staff and buyers."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F

from cryptons.db import new_id
from cryptons.events.models import Event
from payments.errors import PayoutMoved, PayoutRefused
from payments.models import Invoice, Option, Payout
from payments.payouts import workflow
from payments.payouts.tests.payout_steps import covered_payout, draft, paid
from payments.payouts.workflow import draft_payout, move_payout, set_destination
from payments.tests.factories import DUE, NOW, OptionFactory, PaymentFactory, PayoutFactory
from payments.tests.subjects import RecordingSubject

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]

LATER = NOW + timedelta(hours=1)


def refused(sentence):
    """Expect a refusal with exactly this text."""
    return pytest.raises(PayoutRefused, match=f"^{re.escape(sentence)}$")


def litecoin(invoice, **more):
    option = OptionFactory(invoice=invoice, network="LTC", minor_per_coin=Decimal(8_000))
    return PaymentFactory(option=option, status="settled", height=1, **more)


# --- What it holds ----------------------------------------------------------------------------------------------------------


def test_a_draft_holds_what_was_asked_for_and_by_whom():
    invoice, payout_id = paid(), new_id()

    payout = draft_payout(
        invoice.pk,
        kind="refund",
        network="BTC",
        amount_base=DUE // 2,
        destination="bcrt1qback",
        actor="grace",
        reason="she called",
        at=NOW,
        payout_id=payout_id,
    )

    stored = Payout.objects.get()
    assert (payout.pk, stored.pk, stored.invoice) == (payout_id, payout_id, invoice)
    assert (stored.kind, stored.network, stored.destination, stored.amount_base) == ("refund", "BTC", "bcrt1qback", DUE // 2)
    assert (stored.currency, stored.value_minor, stored.minor_per_coin) == ("USD", 5_000, 5_000_000)
    assert (stored.status, stored.reason, stored.created_by, stored.created_at) == ("draft", "she called", "grace", NOW)
    assert (stored.next_try_at, stored.reference, stored.version) == (None, None, 1)


def test_a_draft_without_a_destination_and_a_reason_has_none():
    payout = draft(paid())
    assert (payout.destination, payout.reason, payout.amount_base) == ("", "", DUE)
    assert draft(paid()).pk != payout.pk


def test_the_event_of_a_draft_says_what_is_to_be_sent_and_why():
    payout = draft(paid(), destination="bcrt1qback", reason="she called")
    event = Event.objects.get(subject_id=payout.pk)
    assert (event.type, event.seq, event.actor) == ("payout.draft", 1, "grace")
    assert event.data == {
        "status": "draft",
        "network": "BTC",
        "amount": "0.00200000",
        "destination": "bcrt1qback",
        "reference": None,
        "reason": "she called",
    }


def test_the_event_of_a_failed_payout_names_the_error_and_no_reason():
    payout = PayoutFactory(status="sending", reference="f" * 64)
    move_payout(payout, "failed", at=NOW, error="There is no way.")
    event = Event.objects.get(subject_id=payout.pk)
    assert (event.type, event.seq, event.actor) == ("payout.failed", 2, "")
    assert event.data == {
        "status": "failed",
        "network": "BTC",
        "amount": "0.00200000",
        "destination": payout.destination,
        "reference": "f" * 64,
        "error": "There is no way.",
    }


def test_a_step_that_keeps_the_status_is_an_update():
    payout = covered_payout()
    move_payout(payout, "approved", at=NOW, psbt="cHNidP8=")
    assert Event.objects.values_list("type", flat=True).get(subject_id=payout.pk) == "payout.updated"


def test_the_shop_and_the_invoice_follow_each_step_of_a_payout(monkeypatch):
    followed = []

    class Shop(RecordingSubject):
        def on_payout(self, payout, *, at):
            followed.append((payout.status, at))

    monkeypatch.setattr("payments.subject._registered", [Shop()])
    payout = draft(paid())
    move_payout(payout, "failed", at=LATER, error="no route")
    assert followed == [("draft", NOW), ("failed", LATER)]


def test_a_draft_of_money_that_came_at_two_rates_is_valued_at_the_newest_quote_without_a_current_rate(settings):
    settings.FIXED_RATES = {}
    invoice = paid()
    for minutes, rate in ((2, 7_000_000), (1, 6_000_000)):
        OptionFactory(invoice=invoice, created_at=NOW + timedelta(minutes=minutes), minor_per_coin=rate, rate_sources={"a": str(rate)})
    OptionFactory(created_at=LATER, minor_per_coin=1)
    payout = draft(invoice)
    assert (payout.value_minor, payout.minor_per_coin, payout.rate_sources) == (14_000, 7_000_000, {"a": "7000000"})


def test_the_rate_of_the_shops_currency_does_not_value_a_payout_in_another_one(settings):
    settings.FIXED_RATES = {"BTC": Decimal("60000.00")}
    payout = draft(paid(option__invoice__currency="EUR"))
    assert (payout.currency, payout.value_minor, payout.minor_per_coin) == ("EUR", 10_000, 5_000_000)


def test_the_value_of_a_draft_is_rounded_to_the_nearest_minor_unit(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    assert [draft(paid(), amount_base=amount).value_minor for amount in (1_009, 1_010, 1_011)] == [50, 51, 51]


# --- What it may not be -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["new", "processing"])
def test_a_refund_of_an_invoice_that_can_still_be_paid_says_what_to_do_first(status):
    invoice = PaymentFactory(status="settled", option__invoice__status=status).invoice
    with refused("7K3M9-2QFXA can still be paid, and what was received counts towards it. Close it as invalid first."):
        draft(invoice)
    assert not Payout.objects.exists()


def test_a_refund_of_a_coin_that_was_not_received_names_the_coin():
    with refused("7K3M9-2QFXA has no settled LTC that could be refunded."):
        draft(paid(), network="LTC")


@pytest.mark.parametrize("amount", [546, DUE + 1])
def test_a_refund_of_too_little_or_too_much_names_both_limits(amount):
    with refused("Between 0.00000547 and 0.00200000 BTC of 7K3M9-2QFXA can be refunded."):
        draft(paid(), amount_base=amount)


@pytest.mark.parametrize("amount", [547, DUE])
def test_the_smallest_and_the_largest_refund_that_are_named_can_be_drafted(amount):
    assert draft(paid(), amount_base=amount).amount_base == amount


def test_a_refund_over_lightning_is_in_whole_satoshis():
    with refused("Over Lightning only whole satoshis can be refunded."):
        draft(paid(), network="BTC-LN", amount_base=100_500)
    assert draft(paid(), network="BTC-LN", amount_base=100_000).amount_base == 100_000


def test_a_refund_on_chain_can_be_any_number_of_satoshis():
    assert draft(paid(), amount_base=1_001).amount_base == 1_001


def test_a_draft_is_tried_again_when_its_invoice_changes_meanwhile(monkeypatch):
    """Twice somebody else is faster; the third try is written."""
    invoice, tries, most_of_kind = paid(), [], workflow.most_of_kind

    def read_and_be_slow(row, kind):
        tries.append(1)
        if len(tries) < 3:
            Invoice.objects.update(version=F("version") + 1)
        return most_of_kind(row, kind)

    monkeypatch.setattr(workflow, "most_of_kind", read_and_be_slow)

    draft(invoice)

    assert (len(tries), Payout.objects.count(), Invoice.objects.get().version) == (3, 1, 2)


def test_a_draft_is_given_up_when_its_invoice_changes_each_time(monkeypatch):
    invoice, tries, most_of_kind = paid(), [], workflow.most_of_kind

    def read_and_be_slow(row, kind):
        tries.append(1)
        Invoice.objects.update(version=F("version") + 1)
        return most_of_kind(row, kind)

    monkeypatch.setattr(workflow, "most_of_kind", read_and_be_slow)

    with pytest.raises(PayoutMoved, match=r"^Somebody else changed this at the same moment\. Please check it again\.$"):
        draft(invoice)
    assert (len(tries), Payout.objects.count()) == (3, 0)


# --- Where it goes ------------------------------------------------------------------------------------------------------------


def test_a_destination_is_stored_with_an_event_of_who_set_it():
    payout, other = draft(paid()), draft(paid())

    changed = set_destination(payout.pk, "bcrt1qhome", actor="buyer", at=NOW)

    assert (changed.destination, changed.network, changed.amount_base, changed.version) == ("bcrt1qhome", "BTC", DUE, 2)
    event = Event.objects.filter(subject_id=payout.pk).latest("seq")
    assert (event.type, event.actor, event.data["destination"]) == ("payout.destination", "buyer", "bcrt1qhome")
    assert Payout.objects.get(pk=other.pk).destination == ""


@pytest.mark.parametrize("fields", [{"status": "approved"}, {"status": "sent"}, {"approved_by": "grace"}])
def test_a_destination_of_an_approved_payout_stays(fields):
    payout = PayoutFactory(**fields)
    with refused("This payout was already approved: its destination can no longer be changed."):
        set_destination(payout.pk, "bcrt1qthief", actor="buyer", at=NOW)


def test_a_payout_stays_in_its_coin():
    with refused("BTC is refunded as BTC."):
        set_destination(draft(paid()).pk, "ltc1qback", network="LTC", actor="buyer", at=NOW)


def test_naming_the_same_network_keeps_the_amount():
    payout = draft(paid(), network="BTC-LN")
    changed = set_destination(payout.pk, "lnbc", network="BTC-LN", actor="buyer", at=NOW)
    assert (changed.network, changed.amount_base, changed.destination) == ("BTC-LN", DUE * 1000, "lnbc")


def test_a_lightning_payout_moved_to_the_chain_is_rounded_down_to_satoshis():
    payout = PayoutFactory(network="BTC-LN", amount_base=700_999)
    changed = set_destination(payout.pk, "bcrt1qback", network="BTC", actor="buyer", at=NOW)
    assert (changed.network, changed.amount_base) == ("BTC", 700)


@pytest.mark.parametrize(("amount_msat", "is_enough"), [(546_999, False), (547_000, True)])
def test_a_payout_that_would_be_dust_on_the_chain_stays_on_lightning(amount_msat, is_enough):
    payout = PayoutFactory(network="BTC-LN", amount_base=amount_msat)
    if is_enough:
        assert set_destination(payout.pk, "bcrt1qback", network="BTC", actor="buyer", at=NOW).amount_base == 547
        return
    with refused("This amount is too small for a payment over Bitcoin."):
        set_destination(payout.pk, "bcrt1qback", network="BTC", actor="buyer", at=NOW)


def test_a_litecoin_payout_has_a_destination_of_its_own():
    invoice = paid()
    litecoin(invoice, amount_base=10**8)
    payout = draft(invoice, network="LTC")
    assert (payout.network, payout.amount_base, Option.objects.filter(invoice=invoice).count()) == ("LTC", 10**8, 2)
